"""Pickles and archives that would take memory or time are refused unread."""

from __future__ import annotations

import collections
import io
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from litehrnet_mm.checkpoints import archives
from litehrnet_mm.checkpoints.archives import check_archive
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.checkpoints.pickles import HarmfulError, check_pickle
from litehrnet_mm.cli import UserError

WEIGHTS = dict(w=torch.arange(5000.0), b=torch.ones(3))


ENCODE = b'c_codecs\nencode\nq\0X\xe8\3\0\0' + b'a' * 1000 + b'q\1'
ENCODE += b'X\6\0\0\0latin1q\2'
SET = b'cbuiltins\nset\nq\0](' + b'N' * 1000


@pytest.mark.parametrize('protocol', range(6))
def test_what_pickle_writes_is_passed(protocol):
    value = [collections.OrderedDict(x=[(1, ('a', None))] * 100), np.ones((2, 3))]
    data = pickle.dumps(value, protocol)
    assert check_pickle(data) == len(data)
    for many in (list(np.ones((300, 1))), list(np.arange(300.0)), [{1}, {2}] * 99):
        data = pickle.dumps(many, protocol)
        assert check_pickle(data) == len(data)
    large = pickle.dumps(tuple(range(100_000)), protocol)
    assert check_pickle(large) == len(large)


@pytest.mark.parametrize(
    ('opcodes', 'words'),
    [
        (b'Nr' + struct.pack('<I', 2**31 - 1), 'remembers'),
        (b'}(K\1' + b'\x85' * 100_000 + b'Nu', 'tuple'),
        (b'}(K\1q\x63' + b'h\x63h\x63\x86q\x63' * 60 + b'Nu', 'tuple'),
        (b'(' * 2000 + b't' * 2000, 'nested'),
        (b'X' + struct.pack('<I', 2**31) + b'x', 'beyond its end'),
        (b'\x8e' + struct.pack('<Q', 2**63) + b'x', 'beyond its end'),
        (b'cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R', 'bytearray'),
        (b't', 'not begun'),
        (b'\x86', 'more than it has made'),
        (b'N\xff', 'damaged'),
        (b'cos\nsystem', 'cut off'),
        (ENCODE + b'(' + b'h\0h\1h\2\x86R' * 50 + b't', 'over and over'),
        (ENCODE + b'h\1h\2\x86q\3(' + b'h\0h\3R' * 50 + b't', 'over and over'),
        (ENCODE + b'(' + b'Nh\1b' * 50 + b't', 'over and over'),
        (ENCODE + b'h\0h\1h\1\x86R', 'encodes'),
        (SET + b'e\x85q\1(' + b'h\0h\1R' * 50 + b't', 'over and over'),
        (b'(' + b'\x8f' * 300 + b't', 'over and over'),
        (b'ctorch\nFloatTensor\nK\1\x85R', 'calls .*FloatTensor'),
        (b'ctorch\nTensor\nK\1\x85\x81', 'calls .*Tensor'),
        (b'ctorch\nFloatStorage\nK\1\x85R', 'calls .*FloatStorage'),
        (b'cmmengine.logging\nHistoryBuffer\n)R', 'calls .*HistoryBuffer'),
    ],
)
def test_what_would_harm_is_refused(opcodes, words):
    with pytest.raises(HarmfulError, match=words):
        check_pickle(b'\x80\2' + opcodes + b'.')


def test_what_takes_long_is_refused():
    data = pickle.dumps([None] * 100, 2)
    assert check_pickle(data, most=106) == len(data)
    with pytest.raises(HarmfulError, match='more steps'):
        check_pickle(data, most=105)


@pytest.mark.parametrize('new', [False, True])
def test_steps_are_those_of_all_pickles_of_a_checkpoint(tmp_path, monkeypatch, new):
    path = tmp_path / 'x.pth'
    path.write_bytes(saved(WEIGHTS, _use_new_zipfile_serialization=new))
    if new:
        with zipfile.ZipFile(path, 'a') as archive:
            archive.writestr('archive/more.pkl', pickle.dumps([None] * 100, 2))
    monkeypatch.setattr(archives, 'MOST_OPCODES', 250)
    read_checkpoint(path)
    monkeypatch.setattr(archives, 'MOST_OPCODES', 90 if new else 60)
    with pytest.raises(UserError, match=r'x\.pth .*more steps'):
        read_checkpoint(path)


def saved(content: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def rewritten(change, **options: object) -> bytes:
    """A checkpoint with its records changed, and sums that are right."""
    source = zipfile.ZipFile(io.BytesIO(saved(dict(state_dict=WEIGHTS))))
    records = change([(name, source.read(name)) for name in source.namelist()])
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, 'w', **options) as archive:
        warnings.simplefilter('ignore')  # of two records of one name
        for name, content in records:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_bit_that_flipped_in_a_number_is_found(tmp_path):
    """PyTorch itself does not look at the sums that it writes."""
    path = tmp_path / 'x.pth'
    content = bytearray(saved(dict(state_dict=WEIGHTS)))
    path.write_bytes(content)
    assert torch.equal(read_checkpoint(path)['state_dict']['w'], WEIGHTS['w'])
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)
    with pytest.raises(UserError, match=r'x\.pth is damaged .*checksum of .*data/0'):
        read_checkpoint(path)


@pytest.mark.parametrize(('place', 'value'), [(38, 0x10), (20, 0), (21, 0)])
def test_a_record_that_pytorch_does_not_read(tmp_path, place, value):
    """Marked as a folder, or without a size: what happens to be in memory it gives."""
    path = tmp_path / 'x.pth'
    content = bytearray(saved(dict(state_dict=WEIGHTS)))
    entry = content.rindex(b'PK\1\2', 0, content.rindex(b'/data/0'))
    content[entry + place] = value
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'entry of .*data/0 is wrong'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (rewritten(lambda x: x, compression=zipfile.ZIP_DEFLATED), 'compressed'),
        (rewritten(lambda x: [*x, x[0]]), 'two records of one name'),
        (b'PK\3\4' + bytes(500), 'not a zip file'),
        (rewritten(lambda x: [(k, b'\x80\2' + b'\x85' * 9 + b'.') if 'pkl' in k else
                              (k, v) for k, v in x]), 'more than it has made'),
    ],
    ids=['compressed', 'twice', 'no archive', 'empty stack'],  # archives tell the time
)  # fmt: skip
def test_archives_that_pytorch_does_not_write(tmp_path, content, words):
    path = tmp_path / 'x.pth'
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as refused:
        read_checkpoint(path)
    assert str(path) in str(refused.value)
    with pytest.raises(HarmfulError, match=words):
        check_archive(path)


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize(
    'opcodes',
    [
        b'}(K\1' + b'\x85' * 100_000 + b'Nu',
        b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x8a\x05'
        + (2**35).to_bytes(5, 'little') + b'\x85X\1\0\0\0b\x87R',
        b'cbuiltins\nbytes\n\x8a\x05' + (2**35).to_bytes(5, 'little') + b'\x85R',
    ],
)  # fmt: skip
def test_bombs_in_checkpoints(tmp_path, opcodes, old):
    """Read by PyTorch they would end the process, or take 32 GB."""
    bomb = b'\x80\2' + opcodes + b'.'
    path = Path(tmp_path / 'x.pth')
    if old:
        whole = saved(dict(w=1), _use_new_zipfile_serialization=False)
        stream = io.BytesIO(whole)
        for _ in range(3):
            pickle.load(stream)
        path.write_bytes(whole[: stream.tell()] + bomb + pickle.dumps([], 2))
    else:
        path.write_bytes(
            rewritten(lambda x: [(k, bomb if 'pkl' in k else v) for k, v in x])
        )
    with pytest.raises(UserError, match=r'x\.pth') as refused:
        read_checkpoint(path)
    assert str(refused.value).isprintable()
    assert 'Memory' not in str(refused.value)


def test_empty_arrays_and_bytes_are_still_read(tmp_path):
    """As NumPy pickles them; the names of their makers are let in for no more."""
    path = tmp_path / 'x.pth'
    arrays = dict(empty=np.zeros(0), full=np.arange(3), fortran=np.ones((2, 2)).T)
    torch.save(dict(state_dict=WEIGHTS, meta=arrays), path)
    found = read_checkpoint(path)['meta']
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)


def test_names_in_a_refusal_are_printable(tmp_path):
    path = tmp_path / 'x.pth'
    name = b'\x80\2c\x01os\nsys\x02tem\n.'
    path.write_bytes(
        rewritten(lambda x: [(k, name if 'pkl' in k else v) for k, v in x])
    )
    with pytest.raises(UserError, match='refused: it refers to') as refused:
        read_checkpoint(path)
    assert str(refused.value).isprintable()
