"""The reader of ``.pdparams``: what it takes, and that nothing else does any harm."""

import collections
import contextlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from litehrnet_mm.checkpoints import pdparams
from litehrnet_mm.checkpoints.pdparams import NAME_TABLE, read_pdparams
from litehrnet_mm.cli import UserError

WEIGHTS = {
    'float32': np.arange(6, dtype='f4').reshape(2, 3),
    'float16': np.arange(6, dtype='f2').reshape(1, 2, 3) / 7,
    'float64': np.linspace(-1, 1, 5),
    'int64': np.array([2**62, -1]),
    'bool': np.array([True, False]),
    'fortran': np.asfortranarray(np.arange(6, dtype='f4').reshape(2, 3)),
    'every byte': np.frombuffer(bytes(range(256)), 'u1'),
}


class Call:
    """Pickles as a call of ``function`` with ``args``."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file and read it as .pdparams."""

    def read(data: bytes) -> dict[str, np.ndarray]:
        path = tmp_path / 'x.pdparams'
        path.write_bytes(data)
        return read_pdparams(path)

    return read


def assert_refused(read, data: bytes, *words: str) -> None:
    with pytest.raises(UserError, match=r'x\.pdparams') as refused:
        read(data)
    line = str(refused.value)
    assert '\n' not in line
    assert len(line) < 400
    assert all(word in line for word in words), line


@pytest.mark.parametrize('protocol', [2, 3, 4])
@pytest.mark.parametrize('kind', [dict, collections.OrderedDict])
def test_arrays_come_back_as_they_were(read, protocol, kind):
    content = kind(WEIGHTS)
    content[NAME_TABLE] = dict.fromkeys(WEIGHTS, 'linear_0.w_0')
    found = read(pickle.dumps(content, protocol))
    assert list(found) == list(WEIGHTS)
    for key, array in WEIGHTS.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array)


def test_names_of_numpy_2_are_known(read):
    data = pickle.dumps(WEIGHTS, 2)
    renamed = data.replace(b'cnumpy.core.multiarray', b'cnumpy._core.multiarray')
    assert renamed != data
    np.testing.assert_array_equal(read(renamed)['float64'], WEIGHTS['float64'])


@pytest.mark.parametrize('protocol', [0, 1, 5])
def test_other_protocols_are_refused(read, protocol):
    assert_refused(read, pickle.dumps(WEIGHTS, protocol), 'refused')


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize(
    'call',
    [
        lambda marker: Call(os.system, f'touch {marker}'),
        lambda marker: Call(eval, f'open({str(marker)!r}, "w")'),
        lambda marker: Call(exec, f'open({str(marker)!r}, "w")'),
        lambda marker: Call(getattr, np.ndarray, 'tofile'),
        lambda marker: Call(np.fromfile, str(marker)),
        lambda marker: Call(Path, str(marker)),
        lambda marker: Call(open, str(marker), 'w'),
    ],
)
def test_a_call_is_refused_and_not_made(read, tmp_path, protocol, call):
    marker = tmp_path / 'marker'
    data = pickle.dumps({'w': call(marker)}, protocol)
    assert_refused(read, data, 'refused', 'could run code')
    assert_refused(read, pickle.dumps(call(marker), protocol), 'could run code')
    assert not marker.exists()


def test_a_call_by_another_opcode_is_refused(read, tmp_path):
    marker = tmp_path / 'marker'
    command = f'touch {marker}'
    old_style = f"\x80\x02(S'{command}'\nios\nsystem\n.".encode()
    assert_refused(read, old_style, 'refused')
    by_class = b'\x80\x02cos\nsystem\n\x85\x81.'
    assert_refused(read, by_class, 'refused')
    assert not marker.exists()


def array_pickle(shape=(2,), code='f4', data=b'\0' * 8, order='<', flags=0) -> bytes:
    """A pickle of one array, whose parts need not agree."""
    state = (3, order, None, None, None, -1, -1, flags)
    dtype = Call(np.dtype, code, False, True, state=state)
    array_state = (1, shape, dtype, False, data)
    reconstruct = np.core.multiarray._reconstruct
    array = Call(reconstruct, np.ndarray, (0,), b'b', state=array_state)
    return pickle.dumps({'w': array}, 4)


def test_the_array_that_the_faults_start_from_is_good(read):
    np.testing.assert_array_equal(read(array_pickle())['w'], np.zeros(2, 'f4'))


def test_numbers_of_another_order_of_bytes_are_read(read):
    data = np.array([1, 2], '>f4').tobytes()
    assert read(array_pickle(data=data, order='>'))['w'].tolist() == [1, 2]


@pytest.mark.parametrize(
    ('fault', 'words'),
    [
        (dict(shape=(2**40, 2**40)), ['without a proper shape']),
        (dict(shape=(2**20, 2**20)), ['8 bytes instead of 4398046511104']),
        (dict(shape=(3,)), ['8 bytes instead of 12']),
        (dict(shape=(-2,)), ['without a proper shape']),
        (dict(shape=(2.0,)), ['without a proper shape']),
        (dict(shape=(True, 2)), ['without a proper shape']),
        (dict(shape=(1,) * 9), ['without a proper shape']),
        (dict(shape=2), ['without a proper shape']),
        (dict(code='O8'), ["'O8'", 'plain ones are']),
        (dict(code='S4'), ["'S4'"]),
        (dict(code='c8'), ["'c8'"]),
        (dict(code=4), ['numbers of type int']),
        (dict(order='|'), ['unknown order']),
        (dict(order=None), ['unknown order']),
        (dict(flags=63), ['not plain']),
        (dict(data='12345678'), ['not given as bytes']),
        (dict(data=8), ['not given as bytes']),
    ],
)
def test_an_array_whose_parts_disagree_is_refused(read, fault, words):
    assert_refused(read, array_pickle(**fault), 'refused', *words)


def test_numpys_own_objects_are_refused(read):
    objects = np.array([None, 'x'], dtype=object)
    records = np.zeros(2, dtype=[('a', 'f4')])
    for array in (objects, records, np.array(['x']), np.array(['now'], 'M8[s]')):
        assert_refused(read, pickle.dumps({'w': array}, 4), 'refused')


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ([1, 2], []),
        (3, ['no dictionary']),
        ({}, ['no arrays']),
        ({NAME_TABLE: {'w': 'x'}}, ['no arrays']),
        ({'w': 3}, ["no array under 'w'"]),
        ({'w': {'v': np.zeros(2)}}, ["no array under 'w'"]),
        ({'w': ('a', 'b')}, ["no array under 'w'"]),
        ({('w',): np.zeros(2)}, ['a key that is no name']),
        ({3: np.zeros(2)}, ['a key that is no name']),
        ({'w' * 500: np.zeros(2)}, ['a key that is no name']),
        ({'w': {1, 2}}, []),
    ],
)
def test_other_contents_are_refused(read, content, words):
    assert_refused(read, pickle.dumps(content, 4), 'refused', *words)


ARRAY = pickle.dumps(np.zeros(2, 'f4'), 2)[2:-1]  # without PROTO and STOP


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\x80',
        b'\x80\x04.',
        b'\x80\x02}',
        b'\x80\x02}}.',
        b'\x80\x02u.',
        b'\x80\x02}(u.',
        b'\x80\x02}(K\x01u.',
        b'\x80\x02R.',
        b'\x80\x02)R.',
        b'\x80\x02cnumpy\ndtype\nK\x01R.',
        b'\x80\x02cnumpy\nndarray\n)R.',
        b'\x80\x02h\x07.',
        b'\x80\x02q\x00.',
        b'\x80\x02(q\x00.',
        b'\x80\x02}Nb.',
        b'\x80\x02cnumpy\ndtype\n)R}b.',
        b'\x80\x04K\x01K\x01\x93.',
        b'\x80\x02}X\x01\x00\x00\x00w' + ARRAY + b's.more',
        b'\x80\x02}X\x01\x00\x00\x00wX\x01\x00\x00\x00w' + ARRAY + b'ss.',
        b'\x80\x02}X\x01\x00\x00\x00wcnumpy\ndtype\nX\x02\x00\x00\x00f4\x85Rs.',
    ],
)
def test_a_machine_out_of_order_is_refused(read, data):
    assert_refused(read, data, 'refused')


def test_a_name_may_stand_for_one_array_only(read):
    entry = b'X\x01\x00\x00\x00w' + ARRAY
    assert_refused(read, b'\x80\x02}' + entry + b's' + entry + b's.', "'w' twice")


@pytest.mark.parametrize(
    'claim',
    [
        b'\x80\x04\x8e' + struct.pack('<Q', 2**62),  # BINBYTES8
        b'\x80\x04B' + struct.pack('<I', 2**32 - 1),  # BINBYTES
        b'\x80\x04\x8d' + struct.pack('<Q', 2**40),  # BINUNICODE8
        b'\x80\x04}r' + struct.pack('<I', 2**32 - 1) + b'.',  # LONG_BINPUT
        b'\x80\x04\x95' + struct.pack('<Q', 2**60) + b'}.',  # FRAME
        b'\x80\x04\x96' + struct.pack('<Q', 2**60) + b'.',  # BYTEARRAY8
        b'\x80\x04\x8b' + struct.pack('<i', 2**31 - 1) + b'.',  # LONG4
    ],
)
def test_a_size_that_a_file_claims_takes_no_memory(read, claim):
    resource = pytest.importorskip('resource')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(read, claim, 'refused')
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # kB on Linux; the smallest claim is 2**31 bytes


def test_tuples_within_tuples_neither_hang_nor_crash(read):
    deep = b'\x80\x02)' + b'\x85' * 500_000
    assert_refused(
        read, b'\x80\x02}' + deep[2:] + b'K\x01s.', 'tuple that is too large'
    )
    assert_refused(read, deep + b'.', 'nested too deep')
    wide = b')' + b'q\x00h\x00\x86' * 200  # 2**200 leaves, if anyone counted
    assert_refused(read, b'\x80\x02}' + wide + b'K\x01s.', 'tuple that is too large')


def test_one_array_many_times_is_no_way_to_fill_the_memory(read):
    array = pickle.dumps(np.zeros(1000, 'f4'), 2)[2:-1] + b'q\xff'
    entries = b''.join(
        b'X\x02\x00\x00\x00' + f'{i:02}'.encode() + b'h\xff' for i in range(99)
    )
    data = b'\x80\x02}X\x01\x00\x00\x00w' + array + b's(' + entries + b'u.'
    assert_refused(read, data, '400000 bytes of arrays')


def test_one_text_encoded_many_times_is_no_way_either(read):
    start = b'\x80\2}c_codecs\nencode\nq\0' + b'X\xe8\3\0\0' + b'a' * 1000 + b'q\1'
    start += b'X\6\0\0\0latin1q\2'
    assert_refused(read, start + b'h\0h\1h\2\x86R' * 99 + b'.', 'over and over')


def test_too_many_steps_and_too_large_a_file_are_refused(read, tmp_path, monkeypatch):
    monkeypatch.setattr(pdparams, 'MAX_STEPS', 1000)
    assert_refused(read, b'\x80\x02' + b'N' * 1_001 + b'.', 'more steps')
    large = tmp_path / 'large.pdparams'
    with open(large, 'wb') as handle:
        handle.truncate(65 * 2**20)
    with pytest.raises(UserError, match='larger than 64 MB'):
        read_pdparams(large)


def test_a_file_cut_or_changed_anywhere_ends_in_one_line_or_in_arrays(read):
    whole = pickle.dumps({'w': np.zeros(2, 'f4'), NAME_TABLE: {'w': 'x'}}, 4)
    for length in range(len(whole)):
        assert_refused(read, whole[:length], 'refused')
    for position in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[position] ^= 1 << bit
            with contextlib.suppress(UserError):
                arrays = read(bytes(data))
                assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / 'absent', tmp_path):
        with pytest.raises(UserError, match=str(path)):
            read_pdparams(path)
