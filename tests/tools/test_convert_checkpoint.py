import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import torch

from litehrnet_mm.checkpoints.pp_tinypose import convert_pp_tinypose


@pytest.fixture
def run(call_tool):
    """Run the tool."""
    return partial(call_tool, 'convert_checkpoint.py')


@pytest.fixture
def weights(shared_data, tmp_path) -> tuple[Path, Path]:
    """Copies of the real files, which a failing test may spoil."""
    folder = tmp_path / 'in'
    folder.mkdir()
    names = ('tinypose_256x192.param', 'tinypose_256x192.bin')
    for name in names:
        shutil.copyfile(shared_data / 'pp_tinypose' / name, folder / name)
    return tuple(folder / name for name in names)


def assert_refused(process: subprocess.CompletedProcess, message: str) -> None:
    assert process.returncode == 2, process.stderr
    assert process.stderr.startswith('error: ')
    assert process.stderr.count('\n') == 1
    assert message in process.stderr
    assert process.stdout == ''


def test_writes_a_checkpoint_of_the_weights_and_their_origin(run, weights, tmp_path):
    out = tmp_path / 'tinypose.pth'

    process = run('pp-tinypose', *weights, out)

    assert process.returncode == 0, process.stderr
    assert f'{out}: 269 convolutions, 1,318,625 parameters' in process.stdout
    assert 'Apache-2.0' in process.stdout
    checkpoint = torch.load(out, weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict'}
    meta = checkpoint['meta']
    assert meta['license'] == 'Apache-2.0'
    assert meta['arch'] == 'wider-naive-litehrnet-18'
    assert meta['input']['channel_order'] == 'RGB'
    assert meta['input']['bbox_padding'] == 1.25
    assert len(meta['keypoints']) == 17
    assert set(meta['source_sha256']) == {path.name for path in weights}
    expected = convert_pp_tinypose(*weights)
    assert set(checkpoint['state_dict']) == set(expected)
    for key, value in checkpoint['state_dict'].items():
        assert torch.equal(value, expected[key]), key
    assert {path.name for path in tmp_path.iterdir()} == {'in', 'tinypose.pth'}


def test_replaces_a_file_with_force_only(run, weights, tmp_path):
    out = tmp_path / 'out.pth'
    out.write_bytes(b'precious')

    assert_refused(run('pp-tinypose', *weights, out), 'give --force')
    assert out.read_bytes() == b'precious'

    assert run('pp-tinypose', *weights, out, '--force').returncode == 0
    assert (
        'backbone.stem.conv1.conv.weight'
        in torch.load(out, weights_only=True)['state_dict']
    )


@pytest.mark.parametrize('damage', ['truncated', 'swapped', 'missing'])
def test_bad_input_leaves_an_old_file_alone(run, weights, tmp_path, damage):
    param, binary = weights
    out = tmp_path / 'out.pth'
    out.write_bytes(b'precious')
    if damage == 'truncated':
        binary.write_bytes(binary.read_bytes()[:-1])
    elif damage == 'swapped':
        param, binary = binary, param
    else:
        binary.unlink()

    process = run('pp-tinypose', param, binary, out, '--force')

    assert_refused(process, 'tinypose_256x192.bin: ')
    assert out.read_bytes() == b'precious'
    assert {path.name for path in tmp_path.iterdir()} == {'in', 'out.pth'}


@pytest.mark.parametrize(
    'arguments', [(), ('pp-tinypose', 'a', 'b'), ('x', 'a', 'b', 'c.pth')]
)
def test_wrong_usage_ends_with_status_2(run, arguments):
    process = run(*arguments)
    assert process.returncode == 2
    assert 'usage:' in process.stderr
    assert 'Traceback' not in process.stderr


def test_help_says_what_happens_to_the_output(run):
    process = run('pp-tinypose', '--help')
    assert process.returncode == 0
    assert 'in a folder that exists' in process.stdout
    assert '--force' in process.stdout
