import os
import stat

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from litehrnet_mm.checkpoints.writer import check_output, save_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.version import __version__


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'weights.bin'
    path.write_bytes(b'weights')
    return path


def test_mmengine_loads_what_is_written(tmp_path):
    layer, other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
    out = tmp_path / 'out.pth'

    save_checkpoint(out, layer.state_dict(), dict(source='a test'))
    checkpoint = load_checkpoint(other, str(out), strict=True)

    assert checkpoint['meta'] == dict(
        source='a test', converted_by=f'litehrnet_mm {__version__}'
    )
    assert torch.equal(other.weight, layer.weight)
    assert torch.equal(other.bias, layer.bias)


def test_bytes_depend_on_the_contents_alone(tmp_path):
    state_dict, meta = nn.Conv2d(3, 4, 1).state_dict(), dict(source='a test')
    first, second = tmp_path / 'a.pth', tmp_path / 'b.pth'
    save_checkpoint(first, state_dict, meta)
    save_checkpoint(second, state_dict, meta)
    assert first.read_bytes() == second.read_bytes()
    assert meta == dict(source='a test')


@pytest.mark.skipif(os.name != 'posix', reason='file modes are of POSIX')
def test_file_has_the_usual_mode(tmp_path):
    save_checkpoint(tmp_path / 'out.pth', {}, {})
    (tmp_path / 'usual').touch()
    modes = {
        stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ('out.pth', 'usual')
    }
    assert len(modes) == 1


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_failed_writing_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, step
):
    out = tmp_path / 'out.pth'
    out.write_bytes(b'precious')

    def full_disk(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, step, full_disk)
    with pytest.raises(UserError, match='cannot be written: No space left'):
        save_checkpoint(out, {}, {})

    assert out.read_bytes() == b'precious'
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ('out', 'message'),
    [
        ('nowhere/out.pth', 'no such folder'),
        ('out.bin', 'expected a name that ends in .pth'),
        ('.pth', 'expected a name that ends in .pth'),
        ('folder.pth', 'expected a file to write, found a folder'),
        ('link.pth', 'is both input and output'),
        ('x' * 300 + '.pth', 'cannot be written'),
    ],
)
def test_refuses_an_output_that_cannot_be_even_by_force(tmp_path, source, out, message):
    (tmp_path / 'folder.pth').mkdir()
    (tmp_path / 'link.pth').symlink_to(source)
    with pytest.raises(UserError, match=message) as info:
        check_output(tmp_path / out, (source,), force=True)
    assert '\n' not in str(info.value)


def test_an_existing_output_needs_force(tmp_path, source):
    out = tmp_path / 'out.pth'
    check_output(out, (source,), force=False)
    out.write_bytes(b'precious')
    with pytest.raises(UserError, match='exists; give --force'):
        check_output(out, (source,), force=False)
    check_output(out, (source,), force=True)
    assert out.read_bytes() == b'precious'


def test_a_dangling_link_counts_as_existing(tmp_path, source):
    (tmp_path / 'out.pth').symlink_to(tmp_path / 'gone')
    with pytest.raises(UserError, match='exists'):
        check_output(tmp_path / 'out.pth', (source,), force=False)
