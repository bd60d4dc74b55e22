"""What is no file of weights is said to be what it is, and so are spoilt weights."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import torch

from litehrnet_mm.checkpoints import archives
from litehrnet_mm.checkpoints.convert import SOURCES, read_foreign
from litehrnet_mm.checkpoints.files import check_finite, read_checkpoint
from litehrnet_mm.cli import UserError

PAGE = b'\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Sign in</body></html>'
NOT_WEIGHTS = {
    b'': 'is empty',
    b'\n  tests of it\nsecond': "is a text file.* begins with 'tests of it'",
    'Gewichte für \u4eba'.encode() * 200: 'is a text file.* begins with',
    b'version https://git-lfs.github.com/spec/v1\n': 'is a text file.*git-lfs',
    b'{"state_dict": {}}': 'is a text file',
    PAGE: 'is a page of HTML or XML.*get the file itself',
    b'<?xml version="1.0"?><Error>AccessDenied</Error>': 'is a page of HTML or XML',
    b'N.': 'is a text file',  # and a pickle, of which there is nothing to say
    bytes(3000): 'is damaged or not a PyTorch file',
    b'caf\xe9 noir': 'is damaged or not a PyTorch file',
    b'\x02\0\0\0\0\0\0\0{}': 'is of safetensors.*load_file reads',
    gzip.compress(b'x'): 'is packed by gzip: unpack it',
}


@pytest.mark.parametrize(('content', 'words'), NOT_WEIGHTS.items())
def test_files_that_are_something_else(tmp_path, content, words):
    path = tmp_path / 'x.pth'
    path.write_bytes(content)
    for read in (read_checkpoint, lambda x: read_foreign('auto', x)):
        with pytest.raises(UserError, match=rf'x\.pth {words}') as refused:
            read(path)
        assert str(refused.value).isprintable()
        assert 'begun' not in str(refused.value)


def test_the_first_letter_that_is_cut_off_in_the_middle(tmp_path):
    path = tmp_path / 'x.pth'
    path.write_text('x' * 1023 + 'ü', 'utf-8')
    with pytest.raises(UserError, match='is a text file'):
        read_checkpoint(path)


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.filterwarnings('ignore:Detected pickle protocol 3')
def test_pickles_by_other_protocols(tmp_path, protocol, old):
    torch.save(
        dict(a=torch.ones(1)), tmp_path / 'x.pth', pickle_protocol=protocol,
        _use_new_zipfile_serialization=not old,
    )  # fmt: skip
    if protocol < 4:
        assert len(read_checkpoint(tmp_path / 'x.pth')['state_dict']) == 1
        return
    with pytest.raises(UserError, match=rf'not read: .* {protocol},.*save its state d'):
        read_checkpoint(tmp_path / 'x.pth')


def test_sound_files_that_are_not_read(tmp_path, monkeypatch):
    """None of them is said to be damaged."""
    path = tmp_path / 'x.pth'
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(dict(a=torch.ones(1)), path)
    finally:
        torch.serialization.set_crc32_options(True)
    with pytest.raises(UserError, match=r'x\.pth is not read: it has no checksums, as'):
        read_checkpoint(path)
    torch.save(dict(a=torch.ones(1), seen=[*range(300)]), path)
    monkeypatch.setattr(archives, 'MOST_OPCODES', 100)
    with pytest.raises(UserError, match=r'x\.pth is not read: .*steps.*save its state'):
        read_checkpoint(path)


@pytest.mark.parametrize('source', ['auto', *SOURCES])
def test_names_that_no_file_has(source):
    path = Path('a' * 300 + ('.bin' if source == 'pp-tinypose' else '.pth'))
    with pytest.raises(UserError, match='not found'):
        read_foreign(source, path)


@pytest.mark.parametrize('source', ['auto', *SOURCES])
def test_what_is_no_file(tmp_path, source):
    device, pipe = Path('/dev/zero'), tmp_path / 'pipe'
    os.mkfifo(pipe)
    suffix = '.bin' if source == 'pp-tinypose' else '.pth'
    empty, folder = tmp_path / f'empty{suffix}', tmp_path / f'folder{suffix}'
    empty.touch()
    folder.mkdir()
    for path in (device, pipe) if source != 'pp-tinypose' else ():
        with pytest.raises(UserError, match=f'{path} is a device or pipe: give a reg'):
            read_foreign(source, path)
    for path, words in ((empty, 'is empty'), (folder, 'is a folder: give a file')):
        (tmp_path / f'{path.stem}.param').touch()
        with pytest.raises(UserError, match=f'{path} {words}'):
            read_foreign(source, path)


BAD = [float('nan'), float('inf'), float('-inf')]


@pytest.mark.parametrize('value', BAD)
@pytest.mark.parametrize('bare', [True, False])
def test_weights_that_are_no_numbers(tmp_path, value, bare):
    path = tmp_path / 'x.pth'
    weights = {key: torch.ones(2, 2) for key in 'abcd'}
    weights['b'][1, 1] = weights['c'][0, 0] = value
    torch.save(weights if bare else dict(state_dict=weights), path)
    said = r'x\.pth: 2 of 4 entries hold NaN or inf, the first is b: .* had diverged'
    with pytest.raises(UserError, match=said):
        read_checkpoint(path)


TYPES = [torch.float16, torch.bfloat16, torch.float64, torch.complex64]
TYPES += [torch.float8_e4m3fn, torch.float8_e5m2]
FOUR_BITS = getattr(torch, 'float4_e2m1fn_x2', None)  # since PyTorch 2.8


@pytest.mark.parametrize('dtype', TYPES, ids=str)
def test_numbers_of_every_type_are_looked_at(dtype):
    good = torch.ones(3).to(dtype)
    check_finite('x.pth', dict(a=good))
    bad = torch.tensor([1, float('nan')]).to(dtype)
    with pytest.raises(UserError, match='1 of 2 entries'):
        check_finite('x.pth', dict(a=good, b=bad))


def test_what_cannot_be_wrong_is_passed(tmp_path):
    path = tmp_path / 'x.pth'
    weights = dict(
        steps=torch.tensor(7), flags=torch.ones(2, dtype=torch.bool),
        bytes=torch.arange(3, dtype=torch.uint8), none=torch.empty(0, 3),
    )  # fmt: skip
    if FOUR_BITS is not None:
        weights['four'] = weights['bytes'].view(FOUR_BITS)
    torch.save(weights, path)
    assert read_checkpoint(path)['state_dict'].keys() == weights.keys()


STRANGE = {
    'sparse': torch.eye(3).to_sparse(),
    'compressed': torch.eye(3).to_sparse_csr(),
    'quantised': torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    'meta': torch.empty(3, device='meta'),
    'nested': torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
}


@pytest.mark.parametrize('kind', STRANGE)
def test_tensors_that_are_no_weights(tmp_path, kind):
    path = tmp_path / 'x.pth'
    torch.save(dict(a=torch.ones(1), b=STRANGE[kind]), path)
    with pytest.raises(UserError, match=r'x\.pth'):
        read_checkpoint(path)


@pytest.mark.parametrize('value', [1.0, float('nan')])
def test_numbers_that_strides_repeat_take_no_memory(tmp_path, value):
    """A few bytes may claim any size; only what is in the file is looked at."""
    path = tmp_path / 'x.pth'
    torch.save(dict(a=torch.tensor([value]).expand(2**20, 2**20)), path)
    if value == 1:
        assert read_checkpoint(path)['state_dict']['a'].numel() == 2**40
    else:
        with pytest.raises(UserError, match='1 of 1 entries hold NaN'):
            read_checkpoint(path)
