"""What stands for NumPy's arrays in a pickle takes no state that NumPy would not write.

With the real ``__setstate__`` some of these states end the interpreter.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from litehrnet_mm.checkpoints.plain_arrays import (
    DTYPES,
    PlainArray,
    PlainDType,
    from_buffer,
    new_array,
    new_scalar,
)


def plain(code: str = 'f8', order: str = '<') -> PlainDType:
    """A type whose state has been set."""
    made = PlainDType(code, False, True)
    made.__setstate__((3, order, None, None, None, -1, -1, 0))
    return made


@pytest.mark.parametrize('code', DTYPES)
def test_a_state_of_numpys_makes_the_same_array(code):
    array = np.arange(6).reshape(2, 3).astype(code)
    _, arguments, state = array.dtype.__reduce__()
    dtype = PlainDType(*arguments)
    dtype.__setstate__(state)
    made = new_array(PlainArray, (0,), b'b')
    _, _, (version, shape, _, fortran, data) = array.__reduce__()
    made.__setstate__((version, shape, dtype, fortran, data))
    np.testing.assert_array_equal(made, array, strict=True)
    assert new_scalar(dtype, data[-array.itemsize :]) == array[1, 2]
    for again in (
        pickle.loads(pickle.dumps(made)),
        pickle.loads(pickle.dumps(made, 2)),
    ):
        assert type(again) is np.ndarray
        np.testing.assert_array_equal(again, array, strict=True)
    np.testing.assert_array_equal(copy.deepcopy(made), array, strict=True)


@pytest.mark.parametrize(
    'code',
    ['O', 'O8', 'S4', 'U1', 'V8', 'c8', 'M8[s]', 'f8,f8', 'float64', '', 4, None],
)
def test_types_of_no_plain_numbers(code):
    with pytest.raises(pickle.UnpicklingError, match='numbers of type'):
        PlainDType(code, False, True)


@pytest.mark.parametrize(
    'state',
    [
        (3, '<', None, None, None, -1, -1, 63),
        (4, '<', None, None, None, -1, -1, 0, None),
        (3, '<', ('f8', (2,)), None, None, -1, -1, 0),
        (3, '<', None, ('a',), {'a': ('f8', 0)}, -1, -1, 0),
        (3, '<', None, None, None, 80, -1, 0),
        (3, '<', None, None, None, -1, 80, 0),
        (3, '<>', None, None, None, -1, -1, 0),
        (3, '', None, None, None, -1, -1, 0),
        (3, b'<', None, None, None, -1, -1, 0),
        (3, '|', None, None, None, -1, -1, 0),
        (PlainArray(),) * 8,
        None,
    ],
)
def test_states_of_a_type_that_numpy_does_not_write(state):
    with pytest.raises(pickle.UnpicklingError, match='f8'):
        PlainDType('f8').__setstate__(state)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(shape=(100,)), '16 bytes instead of 800'),
        (dict(shape=(-2,)), 'proper shape'),
        (dict(shape=(0, 2**61, 2**61)), 'proper shape'),
        (dict(shape=(True, 2)), 'proper shape'),
        (dict(shape=[2]), 'proper shape'),
        (dict(data=[]), 'as bytes'),
        (dict(data='x' * 16), 'as bytes'),
        (dict(dtype=np.dtype('O')), 'other than plain numbers'),
        (dict(dtype=np.dtype('f8')), 'other than plain numbers'),
        (dict(dtype=PlainDType('f8')), 'other than plain numbers'),
        (dict(fortran=2), 'proper shape'),
    ],
)
def test_states_of_an_array_whose_parts_disagree(changes, words):
    state: dict[str, Any] = dict(
        version=1, shape=(2,), dtype=plain(), fortran=False, data=bytes(16)
    )
    PlainArray().__setstate__(tuple(state.values()))
    with pytest.raises(pickle.UnpicklingError, match=words):
        PlainArray().__setstate__(tuple({**state, **changes}.values()))


def test_an_array_is_filled_once():
    made = PlainArray()
    made.__setstate__((1, (1,), plain(), False, bytes(8)))
    with pytest.raises(pickle.UnpicklingError, match='array without'):
        made.__setstate__((1, (2,), plain(), False, bytes(16)))


@pytest.mark.parametrize(
    'arguments', [(), (np.ndarray, (0,), b'b'), (PlainArray, (9,), b'b'), (PlainArray,)]
)
def test_arrays_that_are_not_empty_at_first(arguments):
    with pytest.raises(pickle.UnpicklingError, match='not empty'):
        new_array(*arguments)


def test_no_array_is_made_by_its_size():
    with pytest.raises(TypeError):
        PlainArray((2**40,))
    with pytest.raises(TypeError):
        PlainArray.__new__(PlainArray, (2**40,))


def test_scalars_and_buffers():
    assert new_scalar(plain('i2', '>'), b'\1\0') == 256
    with pytest.raises(pickle.UnpicklingError, match='8 bytes instead of 2'):
        new_scalar(plain('i2'), bytes(8))
    found = from_buffer(bytearray(range(6)), plain('u1', '|'), (2, 3), 'F')
    assert found.tolist() == [[0, 2, 4], [1, 3, 5]]
    with pytest.raises(pickle.UnpicklingError, match='6 bytes instead of 7'):
        from_buffer(bytearray(range(6)), plain('u1', '|'), (7,), 'C')
    with pytest.raises(pickle.UnpicklingError, match='proper shape'):
        from_buffer(b'12', plain('u1', '|'), (2,), 'K')
