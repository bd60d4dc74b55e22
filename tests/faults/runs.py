"""Small trainings on synthetic people, for what may happen to a run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import torch

import litehrnet_mm  # noqa: F401  before the types in checkpoints: see compat.py
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.datasets import make_people

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
STEP = re.compile(r'(?:Epoch|Iter)\(train\)')
BATCHES = 2
"""Of an epoch."""
INTERVAL = 2
"""Iterations after which a training that goes by iterations saves and evaluates."""


def write_people(root: Path, images: int = 2 * BATCHES) -> None:
    """Images to train on with a person each, and two to evaluate on."""
    for name, count in (('train', images), ('val', 2)):
        make_people(root / name, count, seed=0, persons=(1, 1))


def options(
    people: Path, length: int, by_epoch: bool = True, evaluate: bool = False
) -> list[str]:
    """Settings of a training of so many epochs or iterations, often saved."""
    found = [
        f'train_dataloader.dataset.data_root={people}/',
        *('train_dataloader.num_workers=0', 'train_dataloader.batch_size=2'),
        'train_dataloader.persistent_workers=False',
        'default_hooks.logger.interval=1',
        'default_hooks.checkpoint.max_keep_ckpts=2',
        'randomness.seed=7',
    ]
    if by_epoch:
        found += [f'train_cfg.max_epochs={length}', 'train_cfg.val_interval=1']
    else:
        found += [
            *('train_cfg._delete_=True', 'train_cfg.by_epoch=False'),
            f'train_cfg.max_iters={length}',
            f'train_cfg.val_interval={INTERVAL}',
            'train_dataloader.sampler.type=InfiniteSampler',
            'default_hooks.checkpoint.by_epoch=False',
            f'default_hooks.checkpoint.interval={INTERVAL}',
        ]
    if evaluate:
        found += [
            f'val_dataloader.dataset.data_root={people}/',
            'val_dataloader.batch_size=1',
            *(
                'val_dataloader.num_workers=0',
                'val_dataloader.persistent_workers=False',
            ),
            f'val_evaluator.ann_file={people}/val/annotations/person_keypoints.json',
            *('test_dataloader=None', 'test_evaluator=None', 'test_cfg=None'),
        ]
    return found


def command(people: Path, work: Path, length: int, *more: str, **kind: bool) -> list:
    """The command of such a training; ``kind`` is as in :func:`options`."""
    if not kind.get('evaluate'):
        more = ('--no-validate', *more)
    settings = [*options(people, length, **kind), 'randomness.deterministic=True']
    tool = [sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(work)]
    return [*tool, *more, '--cfg-options', *settings]


def start(words: list[str], log: Path, **settings: object) -> subprocess.Popen:
    """Start a run; its output goes into the log, which is emptied.

    Args:
        words: The command.
        log: A file.
        **settings: Those of ``Popen``; ``env`` has only what differs.
    """
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    env.update(settings.pop('env', {}))
    with log.open('w') as out:
        return subprocess.Popen(
            words, cwd=ROOT, stdout=out, stderr=out, env=env, **settings
        )


def wait_for(
    run: subprocess.Popen, log: Path, found: Callable[[], object], limit: float = 300
) -> bool:
    """Wait until ``found()``; whether that was before the run ended."""
    end = time.monotonic() + limit
    while run.poll() is None:
        if found():
            return True
        if time.monotonic() > end:
            run.kill()
            raise SystemExit(f'nothing happened in {limit} s:\n{log.read_text()}')
        time.sleep(0.002)
    return False


def names(folder: Path) -> list[str]:
    """Checkpoints in a folder, and what is being written."""
    return sorted(path.name for path in folder.glob('*.p*t*'))


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Of a checkpoint."""
    return read_checkpoint(str(path))['state_dict']


def assert_same(one: Path, other: Path) -> None:
    """Two checkpoints have the same weights, bit for bit."""
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key
