"""Logging to TensorBoard, beside MMEngine's own log."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from running import configure, forget_runs, on, scalars

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.launch import test as evaluate
from litehrnet_mm.engine.launch import train

ROOT = Path(__file__).resolve().parents[1]
EVENTS = 'tensorboard.backend.event_processing.event_accumulator'
EXAMPLES = ROOT / 'configs/examples'
POSE = EXAMPLES / 'td-hm_litehrnet-18_tensorboard-8xb64-210e_coco-256x192.py'
SEG = EXAMPLES / 'fcn_litehrnet-18_4xb4-tensorboard-160k_cityscapes-512x1024.py'
BOTH = "visualizer.vis_backends=[{'type':'LocalVisBackend'},"
BOTH += "{'type': 'TensorboardVisBackend'}]"
ONE_STEP = (
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'default_hooks.logger.interval=1',
    'val_cfg=None',
    'val_dataloader=None',
    'val_evaluator=None',
)


@pytest.fixture(autouse=True)
def first_run():
    """Each run is the first of its process."""
    yield
    forget_runs()


def short_config(path: Path, work: Path, shared_data: Path, *options: str) -> Config:
    """A config that trains one step on real images."""
    if path == SEG:
        more = [
            'train_cfg.max_iters=1',
            'train_dataloader.dataset.pipeline.2.scale="(256,128)"',
            'train_dataloader.dataset.pipeline.3.crop_size="(128,256)"',
            'model.data_preprocessor.size="(128,256)"',
        ]
    else:
        more = on(shared_data / 'coco_mini_val', 'train')
        more += ['train_dataloader.dataset.indices=2', 'train_cfg.max_epochs=1']
    return configure(path, work, *ONE_STEP, *more, *options)


@pytest.mark.parametrize('path', [POSE, SEG], ids=['pose', 'segmentation'])
def test_event_files_hold_the_loss(path, seg_data, shared_data, tmp_path):
    events = pytest.importorskip(EVENTS)
    assert len(path.read_text().splitlines()) <= 15
    train(short_config(path, tmp_path, shared_data))
    (file,) = tmp_path.rglob('events.out.tfevents.*')
    found = events.EventAccumulator(str(file)).Reload()
    (loss,) = found.Scalars('loss')
    assert loss.step == 1
    assert loss.value == pytest.approx(scalars(tmp_path)['loss'])


def test_any_config_takes_the_backends_as_an_option(tmp_path):
    path = next((ROOT / 'configs/pose/synthetic').glob('*.py'))
    assert configure(path, tmp_path, BOTH).visualizer == Config.fromfile(
        POSE
    ).visualizer.to_dict() | dict(type='PoseLocalVisualizer', name='visualizer')


@pytest.mark.parametrize('value', ["[{'type'", '[(1,2]'])
def test_options_that_are_not_closed(value, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        configure(POSE, tmp_path, f'visualizer.vis_backends={value}')
    assert ended.value.code == 2
    assert f'not closed or mistyped: visualizer.vis_backends={value}' in (
        capsys.readouterr().err
    )


def test_without_tensorboard_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorboard', None)
    cfg = configure(POSE, tmp_path / 'work')
    cfg.load_from = 'http://x'
    for run in (train, lambda one: evaluate(one, False, False)):
        with pytest.raises(UserError, match='TensorBoard is not installed: pip inst'):
            run(cfg)
    assert not (tmp_path / 'work').exists()
