"""The parts of `make demo-seg`, on a handful of scenes."""

import importlib
import json
from typing import ClassVar

import cv2
import numpy as np
import pytest
from running import forget_runs

from litehrnet_mm.datasets.streets import CLASSES, make_streets
from litehrnet_mm.datasets.streets.classes import to_train_ids
from litehrnet_mm.datasets.streets.sheet import read_labels
from litehrnet_mm.workflow import Workflow


@pytest.fixture
def demo(repository, monkeypatch):
    """The demo's module."""
    monkeypatch.syspath_prepend(str(repository / 'tools'))
    return importlib.import_module('demo_seg')


def test_trains_evaluates_and_draws(demo, call_tool, tmp_path, monkeypatch):
    data, work = tmp_path / 'data', tmp_path / 'work'
    monkeypatch.setenv('STREETS_ROOT', str(data))
    for split, seed in (('train', 0), ('val', 1)):
        make_streets(data, demo.SHOWN, seed, split=split)
    options = [f'{k}_dataloader.num_workers=0' for k in ('train', 'val', 'test')]
    short = ['train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2']
    common = ('--work-dir', work)
    done = call_tool(
        *('train.py', demo.CONFIG, *common, '--no-validate'),
        *('--cfg-options', *options, *short),
    )
    assert done.returncode == 0, done.stderr
    forget_runs()
    checkpoint = (work / 'last_checkpoint').read_text().strip()
    predictions, metrics = work / 'predictions', work / 'metrics.json'
    done = call_tool(
        *('test.py', demo.CONFIG, checkpoint, *common, '--out', predictions),
        *('--metrics', metrics, '--cfg-options', *options),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads(metrics.read_text())
    assert 0 <= metrics['mIoU'] < metrics['aAcc'] <= 100
    for name in CLASSES:  # the table of each class
        assert f' {name} ' in done.stdout + done.stderr
    picture = work / 'streets.png'
    demo.draw(data, predictions, picture)
    drawn = cv2.imread(str(picture))
    rows = demo.SHOWN * (2 * 128 + 26 + 4)
    assert drawn.shape[1] == 3 * (2 * 256 + 4)
    assert drawn.shape[0] > rows
    found = read_labels(sorted(predictions.iterdir())[0])
    assert found.shape == (128, 256)
    assert set(to_train_ids(np.unique(found))) <= set(range(19))


def test_names_configs_that_exist(demo, repository):
    for config in (demo.CONFIG, demo.CITY_CONFIG):
        assert (repository / config).is_file()


class Listed(Workflow):
    """A demo whose commands are only listed."""

    commands: ClassVar[list[tuple[str, ...]]] = []

    def run(self, title: str, *command: str) -> None:
        """Keep the command."""
        self.commands.append(command)


def test_trains_and_evaluates_on_different_scenes(demo, tmp_path):
    listed = Listed(demo.CONFIG, tmp_path)
    demo.make_data(listed)
    seeds = [command[command.index('--seed') + 1] for command in listed.commands]
    splits = [command[command.index('--split') + 1] for command in listed.commands]
    assert splits == ['train', 'val']
    assert len(set(seeds)) == 2
