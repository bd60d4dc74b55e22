"""Options of ``tools/train.py`` and ``tools/test.py``, in runs of a narrow network."""

from __future__ import annotations

import json
import os
import pickle
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from running import forget_runs, narrow

from litehrnet_mm.datasets import make_people
from litehrnet_mm.datasets.streets import make_streets
from litehrnet_mm.engine import options
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config

CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
SEG_CONFIG = 'configs/seg/synthetic/fcn_litehrnet-18_1xb4-2000_synthetic-128x256.py'
IMAGES = 4
QUICK = [
    *(f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')),
    'train_dataloader.batch_size=2',
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=1',
]
SHORT = [*QUICK, 'train_cfg.max_epochs=1', 'default_hooks.checkpoint.max_keep_ckpts=2']
KINDS = {
    'pose': (CONFIG, SHORT),
    'seg': (SEG_CONFIG, [*QUICK, 'train_cfg.max_iters=1']),
}


@pytest.fixture(scope='module')
def people(tmp_path_factory) -> Path:
    """A few images, to train and to evaluate on."""
    root = tmp_path_factory.mktemp('people')
    for split in ('train', 'val'):
        make_people(root / split, IMAGES, persons=(1, 1))
    return root


@pytest.fixture(scope='module')
def streets(tmp_path_factory) -> Path:
    """The same for segmentation."""
    root = tmp_path_factory.mktemp('streets')
    for split in ('train', 'val'):
        make_streets(root, IMAGES, split=split)
    return root


@pytest.fixture
def kind(request) -> str:
    """What the networks do."""
    return getattr(request, 'param', 'pose')


@pytest.fixture
def config(kind, people, streets, repository, tmp_path, monkeypatch) -> Path:
    """The config of a narrow network for these images."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv('SYNTHETIC_ROOT', str(people))
    monkeypatch.setenv('STREETS_ROOT', str(streets))
    return narrow(KINDS[kind][0], tmp_path)


@pytest.fixture
def weights(config, tmp_path) -> Path:
    """A checkpoint that fits it."""
    path = tmp_path / 'weights.pth'
    torch.manual_seed(0)
    model = build_model(load_config(str(config), {}), str(config))
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture
def run(call_tool, config, weights):
    """Run a tool with options, as the first of this process; all that it said."""

    def run(tool: str, *words: object, status: int = 0) -> str:
        given = (config, weights) if tool == 'test.py' else (config,)
        done = call_tool(tool, *given, *words)
        forget_runs()
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    return run


def written_config(work: Path) -> Config:
    """The config that a run wrote into its folder."""
    (path,) = work.glob('*.py')
    return Config.fromfile(path)


def test_evaluation(run, tmp_path):
    work = tmp_path / 'work'
    dump, metrics = tmp_path / 'found.pkl', tmp_path / 'metrics.json'
    run(
        'test.py', '--work-dir', work, '--dump', dump, '--metrics', metrics,
        '--cfg-options', *SHORT, 'test_dataloader.batch_size=3',
    )  # fmt: skip
    assert written_config(work).test_dataloader.batch_size == 3
    assert len(pickle.loads(dump.read_bytes())) == IMAGES
    assert 'coco/AP' in json.loads(metrics.read_text())


def test_training(run, tmp_path):
    work = tmp_path / 'work'
    said = run('train.py', '--work-dir', work, '--cfg-options', *SHORT)
    assert 'Epoch(val)' in said
    assert (work / 'epoch_1.pth').is_file()
    more = ('--cfg-options', *SHORT, 'train_cfg.max_epochs=2')
    for source in ((), (work / 'epoch_1.pth',)):
        said = run('train.py', '--work-dir', work, '--resume', *source, *more)
        assert 'resumed epoch: 1, iter: 2' in said
        assert set(re.findall(r'Epoch\(train\) +\[(\d)\]', said)) == {'2'}
        (work / 'epoch_2.pth').unlink()


def test_training_without_validation(run, tmp_path):
    said = run(
        'train.py', '--work-dir', tmp_path / 'work', '--no-validate',
        '--auto-scale-lr', '--cfg-options', *SHORT, 'auto_scale_lr.base_batch_size=16',
        'randomness.seed=5',
    )  # fmt: skip
    assert 'Epoch(val)' not in said
    written = written_config(tmp_path / 'work')
    assert written.val_dataloader is None
    assert dict(type='litehrnet_mm.ReseedHook') in written.custom_hooks
    assert written.randomness.seed == 5
    assert 'Scaling the original LR by 0.125' in said


@pytest.mark.parametrize('kind', KINDS, indirect=True)
@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_pictures(run, tmp_path, tool, kind):
    folder = tmp_path / 'shown'
    show = ('--show-dir', folder, '--interval', 2)
    run(tool, '--work-dir', tmp_path / 'work', *show, '--cfg-options', *KINDS[kind][1])
    shown = [path for path in folder.rglob('*') if path.suffix in ('.jpg', '.png')]
    assert len(shown) == IMAGES / 2


@pytest.mark.parametrize('kind', KINDS, indirect=True)
@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_windows(run, tmp_path, monkeypatch, tool, kind):
    shown = []
    monkeypatch.setattr(options, 'has_screen', lambda: True)
    monkeypatch.setattr(
        'mmpose.visualization.opencv_backend_visualizer.OpencvBackendVisualizer.show',
        lambda self, image, name, wait: shown.append(wait),
    )
    monkeypatch.setattr(
        'mmseg.visualization.SegLocalVisualizer.show',
        lambda self, image, win_name, wait_time: shown.append(wait_time),
    )
    show = ('--show', '--wait-time', 2.5)
    run(tool, '--work-dir', tmp_path / 'work', *show, '--cfg-options', *KINDS[kind][1])
    assert shown == [2.5] * IMAGES


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_launchers(run, tmp_path, monkeypatch, tool):
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.delenv('LOCAL_RANK')
    work = ('--work-dir', tmp_path / 'work')
    launched = ('--launcher', 'slurm', '--local_rank', 3)
    said = run(tool, *work, *launched, status=2)
    assert '--launcher slurm needs GPUs' in said
    assert os.environ['LOCAL_RANK'] == '3'


def test_a_checkpoint_that_does_not_fit(run, weights, tmp_path):
    kept = list(torch.load(weights)['state_dict'].items())[:50]
    torch.save(dict(state_dict=dict(kept)), weights)
    work = ('--work-dir', tmp_path / 'work')
    said = run('test.py', *work, status=2)
    assert 'more (--list-all)' in said
    everything = run('test.py', *work, '--list-all', status=2)
    assert len(everything) > 2 * len(said)
    assert 'more (--list-all)' not in everything
    said = run('test.py', *work, '--allow-partial', '--cfg-options', *SHORT)
    assert 'coco/AP' in said
