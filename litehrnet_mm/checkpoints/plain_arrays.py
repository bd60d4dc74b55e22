"""What stands for NumPy's arrays, types and scalars where a pickle is read.

A pickle makes an array by NumPy's ``__setstate__``, which trusts it: an array of
objects without objects, or a type with other flags, and the interpreter ends. What
stands here in the place of NumPy's names looks at a state first, and lets pass what
``numpy.ndarray.__reduce__`` and ``numpy.dtype.__reduce__`` write for plain numbers.

All refuse with :class:`pickle.UnpicklingError`, which is what the readers of PyTorch
and Python expect; its text is what the file holds.
"""

from __future__ import annotations

import math
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np

DTYPES = (
    *('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8'),
    'b1',
)
MOST = 2**62
"""Of the numbers in a shape, those of its sides that are 0 left out."""


class PlainDType:
    """A type of numbers, in the place of :class:`numpy.dtype`.

    Args:
        *args: Those of ``numpy.dtype``; only the first counts.

    Attributes:
        numpy: The type, once its state, which has the order of bytes, has been set.

    Raises:
        UnpicklingError: If it is no type of plain numbers.
    """

    code = ''
    numpy: np.dtype | None = None

    def __init__(self, *args: Any) -> None:
        code = args[0] if args else None
        if not isinstance(code, str) or code not in DTYPES:
            found = repr(code[:20]) if isinstance(code, str) else type(code).__name__
            raise UnpicklingError(
                f'numbers of type {found}; plain ones are {", ".join(DTYPES)}'
            )
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Take the order of bytes, and nothing else, from NumPy's state of a type."""
        orders = '|' if self.code[1:] == '1' else '<>'
        whole = isinstance(state, tuple) and len(state) == 8
        order = state[1] if whole and isinstance(state[1], str) else ''
        if not self.code or len(order) != 1 or order not in orders:
            raise UnpicklingError(f'numbers of type {self.code} in an unknown order')
        if [*map(repr, state)] != ['3', repr(order), *3 * ['None'], '-1', '-1', '0']:
            raise UnpicklingError(f'numbers of type {self.code} that are not plain')
        self.numpy = np.dtype(f'{order}{self.code}')

    def __reduce__(self) -> tuple:
        """Be saved as NumPy's type, should a file hold one outside an array."""
        return np.dtype(self.numpy).__reduce__()


class PlainArray(np.ndarray):
    """An array of numbers that is made empty, and filled by its state.

    It is saved again as NumPy's own.

    Attributes:
        complete: Whether its state has been set.
    """

    complete = False

    def __new__(cls) -> PlainArray:
        """Make it, of nothing, so that no file can ask for a size."""
        return super().__new__(cls, 0, np.int8)

    def __setstate__(self, state: Any) -> None:
        """Take shape and numbers from NumPy's state of an array.

        Raises:
            UnpicklingError: If its parts do not agree.
        """
        if self.complete or not isinstance(state, tuple) or len(state) != 5:
            raise UnpicklingError('an array without shape, type and bytes')
        _, shape, dtype, fortran, data = state
        if type(fortran) is not bool:
            raise UnpicklingError('an array without a proper shape')
        _check_parts(shape, dtype, data)
        super().__setstate__((1, shape, dtype.numpy, fortran, bytes(data)))
        self.complete = True

    def __reduce_ex__(self, protocol: int) -> tuple:
        """Be saved as NumPy's own array."""
        return self.view(np.ndarray).__reduce_ex__(protocol)


def new_array(kind: Any = None, shape: Any = None, code: Any = None) -> PlainArray:
    """In the place of ``_reconstruct``: an array that has no numbers yet.

    Raises:
        UnpicklingError: If it should be of another class, or have a size.
    """
    if kind is not PlainArray or shape != (0,) or code not in (b'b', 'b'):
        raise UnpicklingError('an array of another class, or not empty at first')
    return PlainArray()


def new_scalar(dtype: Any = None, data: Any = None) -> np.generic:
    """In the place of ``scalar``: a number.

    Raises:
        UnpicklingError: If type and bytes do not agree.
    """
    _check_parts((), dtype, data)
    return np.frombuffer(data, dtype.numpy)[0]


def from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """In the place of ``_frombuffer``, by which protocol 5 has an array.

    Raises:
        UnpicklingError: If its parts do not agree.
    """
    if order not in ('C', 'F'):
        raise UnpicklingError('an array without a proper shape')
    _check_parts(shape, dtype, data)
    return np.frombuffer(data, dtype.numpy).reshape(shape, order=order)


def no_bytes() -> bytes:
    """In the place of ``bytes``, all that it may do in a pickle: be empty."""
    return b''


def _check_parts(shape: Any, dtype: Any, data: Any) -> None:
    if not isinstance(dtype, PlainDType) or dtype.numpy is None:
        raise UnpicklingError('an array of something other than plain numbers')
    sides = shape if isinstance(shape, tuple) and len(shape) <= 8 else (-1,)
    if not all(type(side) is int and 0 <= side < MOST for side in sides):
        raise UnpicklingError('an array without a proper shape')
    if math.prod(max(side, 1) for side in sides) > MOST // 8:
        raise UnpicklingError('an array without a proper shape')
    if type(data) not in (bytes, bytearray):
        raise UnpicklingError('an array whose numbers are not given as bytes')
    expected = math.prod(shape) * dtype.numpy.itemsize
    if len(data) != expected:
        raise UnpicklingError(
            f'an array of shape {shape} and type {dtype.code} with {len(data)} '
            f'bytes instead of {expected}'
        )


def stand_ins() -> dict[str, Callable]:
    """What is let in of NumPy, by the name that a pickle has for it.

    NumPy 2 renamed ``numpy.core`` to ``numpy._core``.
    """
    found: dict[str, Callable] = {'numpy.ndarray': PlainArray}
    found['numpy.dtype'] = PlainDType
    for core in ('numpy.core', 'numpy._core'):
        found[f'{core}.multiarray._reconstruct'] = new_array
        found[f'{core}.multiarray.scalar'] = new_scalar
        found[f'{core}.numeric._frombuffer'] = from_buffer
    return found
