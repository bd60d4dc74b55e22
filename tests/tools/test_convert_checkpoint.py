import pickle
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import torch
from foreign import (
    PaddlePoseNet,
    heatmaps,
    mmpose_estimator,
    old_layout,
    save,
    training_checkpoint,
)
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import load_checkpoint
from nets import PUBLISHED, random_images, relative_difference

from litehrnet_mm.checkpoints.pp_tinypose import convert_pp_tinypose

POSE_CONFIG = 'configs/pose/coco/td-hm_{}_8xb64-210e_coco-256x192.py'
NCNN = ('tinypose_256x192.param', 'tinypose_256x192.bin')


@pytest.fixture
def run(call_tool):
    """Run the tool."""
    return partial(call_tool, 'convert_checkpoint.py')


@pytest.fixture
def weights(shared_data, tmp_path) -> tuple[Path, Path]:
    """Copies of the real files, which a failing test may spoil."""
    folder = tmp_path / 'in'
    folder.mkdir()
    for name in NCNN:
        shutil.copyfile(shared_data / 'pp_tinypose' / name, folder / name)
    return tuple(folder / name for name in NCNN)


@pytest.fixture(scope='module')
def naive():
    """MMPose's own network and its entries in the official layout."""
    model = mmpose_estimator('naive-litehrnet-18')
    return model, old_layout(model)


def assert_refused(process: subprocess.CompletedProcess, *words: object) -> None:
    assert process.returncode == 2, process.stderr
    assert 'Traceback' not in process.stderr
    last = process.stderr.splitlines()[-1]
    assert last.startswith('error: ')
    assert process.stderr.count('error: ') == 1
    assert all(str(word) in last for word in words), last


def our_estimator(arch: str, keypoints: int = 17):
    """A pose estimator of MMPose on our backbone."""
    width = PUBLISHED[arch][2][0]
    backbone = dict(type='litehrnet_mm.LiteHRNet', arch=arch)
    head = dict(
        type='HeatmapHead',
        in_channels=width,
        out_channels=keypoints,
        deconv_out_channels=None,
    )
    model = dict(type='TopdownPoseEstimator', backbone=backbone, head=head)
    with DefaultScope.overwrite_default_scope('mmpose'):
        return MODELS.build(model).eval()


# ------------------------------------------------------------------- PP-TinyPose


@pytest.mark.parametrize('given', [0, 1])
@pytest.mark.parametrize('source', ['pp-tinypose', 'auto'])
def test_writes_a_checkpoint_of_the_weights_and_their_origin(
    run, weights, tmp_path, source, given
):
    out = tmp_path / 'tinypose.pth'

    process = run(source, weights[given], out)

    assert process.returncode == 0, process.stderr
    assert f'{out}: 269 convolutions, 1,318,625 parameters' in process.stdout
    assert 'Apache-2.0' in process.stdout
    assert ('taken for pp-tinypose' in process.stdout) == (source == 'auto')
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

    assert_refused(run('pp-tinypose', weights[0], out), 'give --force')
    assert out.read_bytes() == b'precious'

    assert run('pp-tinypose', weights[0], out, '--force').returncode == 0
    assert (
        'backbone.stem.conv1.conv.weight'
        in torch.load(out, weights_only=True)['state_dict']
    )


@pytest.mark.parametrize('damage', ['truncated', 'swapped', 'no .bin', 'no .param'])
def test_bad_input_leaves_an_old_file_alone(run, weights, tmp_path, damage):
    param, binary = weights
    out = tmp_path / 'out.pth'
    out.write_bytes(b'precious')
    given, word = param, 'tinypose_256x192.bin: '
    if damage == 'truncated':
        binary.write_bytes(binary.read_bytes()[:-1])
    elif damage == 'swapped':
        text = param.read_bytes()
        shutil.copyfile(binary, param)
        binary.write_bytes(text)
        word = 'is it the .bin file?'
    elif damage == 'no .bin':
        binary.unlink()
        word = f'{binary}: not found'
    else:
        param.unlink()
        given, word = binary, f'{param}: not found'

    for source in ('pp-tinypose', 'auto'):
        process = run(source, given, out, '--force')
        assert_refused(process, word)
        assert process.stdout == ''
    assert out.read_bytes() == b'precious'
    assert {path.name for path in tmp_path.iterdir()} == {'in', 'out.pth'}


def test_ncnn_files_of_other_names_cannot_be_paired(run, weights, tmp_path):
    other = weights[0].with_suffix('.txt')
    weights[0].rename(other)
    process = run('auto', other, tmp_path / 'out.pth')
    assert_refused(process, other, 'FILE.param or FILE.bin')


# ------------------------------------------------- official repository and MMPose


@pytest.mark.parametrize('arch', PUBLISHED)
def test_official_files_give_the_heatmaps_of_mmposes_network(run, tmp_path, arch):
    model = mmpose_estimator(arch, keypoints=16)
    content = training_checkpoint(old_layout(model, 'module.'))
    path = save(content, tmp_path / 'official.pth')
    out = tmp_path / 'out.pth'

    process = run('auto', path, out)

    assert process.returncode == 0, process.stderr
    assert f'{path}: taken for official' in process.stdout
    assert f'{arch} with a head of 16 keypoints' in process.stdout
    assert 'not taken over: optimizer' in process.stdout
    ours = our_estimator(arch, keypoints=16)
    load_checkpoint(ours, str(out), strict=True)
    images = random_images(1, 3, 128, 96)
    expected = heatmaps(model, images)
    assert expected.std() > 0.1
    assert relative_difference(heatmaps(ours, images), expected) <= 1e-6
    checkpoint = torch.load(out, weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict'}
    assert checkpoint['meta']['arch'] == arch


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('bare', [True, False])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_every_way_of_writing_official_files_is_read(
    run, naive, tmp_path, zipped, bare, prefix
):
    model, _ = naive
    entries = old_layout(model, prefix)
    for key in [key for key in entries if key.endswith('num_batches_tracked')]:
        del entries[key]  # as PyTorch before 0.4.1
    content = entries if bare else training_checkpoint(entries)
    path = tmp_path / 'official.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    out = tmp_path / 'out.pth'

    assert run('official', path, out).returncode == 0

    found = torch.load(out, weights_only=True)['state_dict']
    expected = model.state_dict()
    assert list(found) == list(expected)
    for key, value in expected.items():
        counter = key.endswith('num_batches_tracked')
        assert torch.equal(found[key], torch.tensor(0) if counter else value), key


@pytest.mark.parametrize('name', ['mobilenetv2', 'shufflenetv2'])
def test_a_net_with_deconvolutions_from_mmpose_0(run, tmp_path, name):
    model = mmpose_estimator(name)
    content = training_checkpoint(old_layout(model))
    path = save(content, tmp_path / f'{name}.pth')
    out = tmp_path / 'out.pth'

    process = run('auto', path, out, '--config', POSE_CONFIG.format(name))

    assert process.returncode == 0, process.stderr
    assert 'taken for mmpose' in process.stdout
    other = mmpose_estimator(name, seed=1)
    images = random_images(1, 3, 64, 64)
    expected = heatmaps(model, images)
    assert relative_difference(heatmaps(other, images), expected) > 0.1
    load_checkpoint(other, str(out), strict=True)
    assert relative_difference(heatmaps(other, images), expected) <= 1e-6
    assert_refused(
        run('mmpose', path, tmp_path / 'no.pth'),
        'the nearest of the four nets', '--config CONFIG',
    )  # fmt: skip


def test_training_checkpoints_of_mmpose_1_leave_their_state_behind(
    run, naive, tmp_path
):
    model, _ = naive
    content = dict(
        training_checkpoint(model.state_dict()),
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1]))),
        param_schedulers=[dict(last_step=3)],
    )
    path, out = save(content, tmp_path / 'epoch_1.pth'), tmp_path / 'out.pth'
    config = POSE_CONFIG.format('naive-litehrnet-18')

    process = run('auto', path, out, '--config', config)

    assert process.returncode == 0, process.stderr
    assert f'{path}: taken for mmpose' in process.stdout
    left = 'not taken over: message_hub, optimizer, param_schedulers'
    assert left in process.stdout
    checkpoint = torch.load(out, weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict'}
    assert checkpoint['meta']['model'] == config
    assert out.stat().st_size < 1.1 * path.stat().st_size
    for key, value in model.state_dict().items():
        assert torch.equal(checkpoint['state_dict'][key], value), key
    assert_refused(run('official', path, tmp_path / 'no.pth'), 'try mmpose')


def test_a_config_for_fewer_branches_takes_what_it_has_a_use_for(run, naive, tmp_path):
    _, entries = naive
    path, out = save(entries, tmp_path / 'official.pth'), tmp_path / 'out.pth'
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = '{Path(POSE_CONFIG.format('naive-litehrnet-18')).resolve()}'\n"
        'model = dict(backbone=dict(with_head=False))\n'
    )
    assert run('official', path, out, '--config', config).returncode == 0
    found = torch.load(out, weights_only=True)['state_dict']
    assert 'head.final_layer.weight' in found
    assert 0 < len(found) < len(entries)
    assert not any(key.startswith('backbone.head_layer.') for key in found)


# ------------------------------------------------------------------ PaddleDetection


@pytest.mark.parametrize('source', ['paddle', 'auto'])
def test_pdparams_give_the_heatmaps_of_paddledetections_network(run, tmp_path, source):
    net = PaddlePoseNet('wider_naive', keypoints=17)
    images = random_images(1, 3, 128, 96)
    expected = net(images)
    path, out = tmp_path / 'tinypose', tmp_path / 'out.pth'
    content = {key: value.numpy() for key, value in net.weights.items()}
    path.write_bytes(pickle.dumps(content, 2))

    process = run(source, path, out)

    assert process.returncode == 0, process.stderr
    assert ('taken for paddle' in process.stdout) == (source == 'auto')
    ours = our_estimator('wider-naive-litehrnet-18')
    load_checkpoint(ours, str(out), strict=True)
    assert relative_difference(heatmaps(ours, images), expected) <= 1e-6
    meta = torch.load(out, weights_only=True)['meta']
    assert meta['input']['channel_order'] == 'RGB'
    assert 'batch_norm' not in meta  # only ncnn's files have it folded


# ------------------------------------------------------------------ what is refused


def test_another_arch_is_refused_with_a_list(run, naive, tmp_path):
    _, entries = naive
    path, out = save(entries, tmp_path / 'official.pth'), tmp_path / 'out.pth'

    process = run('official', path, out, '--arch', 'litehrnet-18')

    assert_refused(
        process, path, 'does not fit litehrnet-18', 'missing', 'unexpected', 'shape'
    )
    assert 'missing from the checkpoint (' in process.stderr
    assert 'unexpected in the checkpoint (' in process.stderr
    assert 'of another shape (' in process.stderr
    assert '(30, 32, 1, 1) instead of (40, 32, 1, 1)' in process.stderr
    assert 'more (--list-all)' in process.stderr
    assert len(process.stderr.splitlines()) == 3 * (1 + 20 + 1) + 1
    assert not out.exists()
    everything = run('official', path, out, '--arch', 'litehrnet-18', '--list-all')
    assert len(everything.stderr.splitlines()) > 1000


def test_partial_weights_are_written_if_asked_for(run, naive, tmp_path):
    model, entries = naive
    entries = dict(entries)
    missing, norm = 'backbone.stem.conv1.conv.weight', 'backbone.stem.conv1.bn.weight'
    del entries[missing]
    entries[norm] = torch.ones(7)
    entries['auxiliary.weight'] = torch.ones(1)
    path, out = save(entries, tmp_path / 'official.pth'), tmp_path / 'out.pth'

    assert_refused(run('official', path, out), 'naive-litehrnet-18', '--allow-partial')
    assert not out.exists()
    process = run('official', path, out, '--allow-partial')

    assert process.returncode == 0, process.stderr
    assert 'left out: 1 of' in process.stdout
    checkpoint = torch.load(out, weights_only=True)
    assert checkpoint['meta']['left_out'] == dict(
        missing=[missing],
        unexpected=['auxiliary.weight'],
        differing={norm: '(7,) instead of (32,)'},
    )
    expected = model.state_dict()
    assert set(checkpoint['state_dict']) == set(expected) - {missing, norm}


def test_weights_of_nothing_known_are_refused_even_in_part(run, tmp_path):
    path = save(torch.nn.Linear(2, 2).state_dict(), tmp_path / 'linear.pth')
    process = run('auto', path, tmp_path / 'out.pth', '--allow-partial')
    assert_refused(process, path, 'does not fit', 'are missing')


def test_numbers_that_are_none_are_refused(run, naive, tmp_path):
    entries = dict(naive[1])
    key = 'keypoint_head.final_layer.bias'
    entries[key] = torch.full_like(entries[key], float('nan'))
    path = save(entries, tmp_path / 'official.pth')
    process = run('auto', path, tmp_path / 'out.pth')
    words = f'1 of {len(entries)} entries hold NaN or inf, the first is {key}'
    assert_refused(process, path, words)


class Malice:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), 'w')


@pytest.mark.parametrize('source', ['official', 'mmpose', 'paddle', 'auto'])
@pytest.mark.parametrize('layout', ['torch', 'pickle'])
def test_nothing_in_a_file_is_run(run, tmp_path, source, layout):
    marker, path = tmp_path / 'marker', tmp_path / 'x.pth'
    content = {'backbone.x': Malice(marker)}
    if layout == 'torch':
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, 2))
    assert_refused(run(source, path, tmp_path / 'out.pth'), path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--config', 'absent.py'], ['config not found', 'absent.py']),
        (['--config', 'tests/nets.py'], ['has no model']),
        (['--config', '{}'], ['cannot be built', 'NoSuchNet']),
    ],
)
def test_a_config_that_gives_no_model_is_said(run, naive, tmp_path, options, words):
    path = save(naive[1], tmp_path / 'official.pth')
    config = tmp_path / 'config.py'
    config.write_text("model = dict(type='NoSuchNet')\n")
    options = [option.format(config) for option in options]
    assert_refused(run('auto', path, tmp_path / 'out.pth', *options), *words)


@pytest.mark.parametrize('source', ['official', 'mmpose', 'paddle', 'auto'])
def test_an_absent_file_is_named(run, tmp_path, source):
    path = tmp_path / 'absent.pth'
    assert_refused(run(source, path, tmp_path / 'out.pth'), 'not found', path)


@pytest.mark.parametrize(
    'arguments',
    [
        (),
        ('pp-tinypose', 'a'),
        ('x', 'a', 'b.pth'),
        ('auto', 'a', 'b.pth', '--arch', 'x'),
        ('auto', 'a', 'b.pth', '--arch', 'litehrnet-18', '--config', 'x.py'),
    ],
)
def test_wrong_usage_ends_with_status_2(run, arguments):
    process = run(*arguments)
    assert process.returncode == 2
    assert 'usage:' in process.stderr
    assert 'Traceback' not in process.stderr


def test_help_names_the_sources_and_what_happens_to_the_output(run):
    process = run('--help')
    assert process.returncode == 0
    for word in ('official', 'mmpose', 'pp-tinypose', 'paddle', 'auto'):
        assert f'\n  {word} ' in process.stdout
    assert 'in a folder that exists' in process.stdout
    assert '--force' in process.stdout
