"""The parts of `make demo-seg`, on a handful of scenes."""

import importlib
import json

import cv2
import numpy as np
import pytest
from running import forget_runs

from litehrnet_mm.datasets.streets import CLASSES, make_streets


@pytest.fixture
def demo(repository, monkeypatch, tmp_path):
    """The demo's module, with its data and its work in a folder of the test."""
    monkeypatch.syspath_prepend(str(repository / 'tools'))
    module = importlib.import_module('demo_seg')
    monkeypatch.setattr(module, 'DATA', tmp_path / 'data')
    monkeypatch.setattr(module, 'WORK', tmp_path / 'work')
    return module


def test_trains_evaluates_and_draws(demo, call_tool, capfd):
    for split, seed in (('train', 0), ('val', 1)):
        make_streets(demo.DATA, demo.SHOWN, seed, split=split)
    options = [f'{k}_dataloader.num_workers=0' for k in ('train', 'val', 'test')]
    options += [
        f'{k}_dataloader.dataset.data_root={demo.DATA}/' for k in ('train', 'test')
    ]
    short = ['train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2']
    options += [f'custom_hooks.0.out_file={demo.WORK}/metrics.json']
    common = ('--work-dir', demo.WORK)
    done = call_tool(
        *('train.py', demo.CONFIG, *common, '--no-validate'),
        *('--cfg-options', *options, *short),
    )
    assert done.returncode == 0, done.stderr
    forget_runs()
    checkpoint = (demo.WORK / 'last_checkpoint').read_text().strip()
    predictions = demo.WORK / 'predictions'
    done = call_tool(
        *('test.py', demo.CONFIG, checkpoint, *common, '--out', predictions),
        *('--cfg-options', *options),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((demo.WORK / 'metrics.json').read_text())
    assert 0 <= metrics['mIoU'] < metrics['aAcc'] <= 100
    for name in CLASSES:  # the table of each class
        assert f' {name} ' in done.stdout + done.stderr
    picture = demo.WORK / 'streets.png'
    demo.draw(predictions, picture)
    drawn = cv2.imread(str(picture))
    rows = demo.SHOWN * (2 * 128 + 26 + 4)
    assert drawn.shape[1] == 3 * (2 * 256 + 4)
    assert drawn.shape[0] > rows
    found = cv2.imread(str(next(iter(sorted(predictions.iterdir())))), -1)
    assert found.shape == (128, 256)
    assert set(np.unique(found)) <= set(range(19))


def test_names_configs_that_exist(demo, repository):
    for config in (demo.CONFIG, demo.CITY_CONFIG):
        assert (repository / config).is_file()


def test_trains_and_evaluates_on_different_scenes(demo, monkeypatch):
    commands = []
    monkeypatch.setattr(demo, 'run', lambda title, *command: commands.append(command))
    demo.make_data()
    seeds = [command[command.index('--seed') + 1] for command in commands]
    splits = [command[command.index('--split') + 1] for command in commands]
    assert splits == ['train', 'val']
    assert len(set(seeds)) == 2
