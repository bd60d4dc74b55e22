"""What meets one of two processes: both end alike, and what was done is saved."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from running import narrow
from runs import CONFIG, ROOT, assert_same, command, start

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.datasets import make_people
from litehrnet_mm.engine.whole_files import newest_checkpoint

LENGTH = 2
"""Epochs of two iterations."""


@pytest.fixture(scope='module')
def odd_people(tmp_path_factory) -> Path:
    """People whose evaluation gives one process two images, and the other one."""
    root = tmp_path_factory.mktemp('odd_people')
    make_people(root / 'train', 8, seed=0, persons=(1, 1))
    make_people(root / 'val', 3, seed=0, persons=(1, 1))
    return root


@pytest.fixture
def train_two(odd_people, tmp_path):
    """Train in two processes: the exit status of each, and what each said."""

    def run(work: Path, *more: str, **fault: object) -> list[tuple[int, str]]:
        config = tmp_path / 'two.py'
        hooks = [dict(type='mmengine.FaultyRank', **fault)] if fault else []
        base = str(narrow(ROOT / CONFIG, tmp_path))
        config.write_text(
            f'_base_ = {base!r}\ncustom_hooks = {hooks!r}\n'
            "custom_imports = dict(imports=['litehrnet_mm', 'faulty_rank'])\n"
        )
        words = command(odd_people, work, LENGTH, *more, evaluate=True)
        words[words.index(CONFIG)] = str(config)
        words[-1:-1] = ['default_hooks.checkpoint.interval=-1']
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        logs = [tmp_path / f'log_{rank}.txt' for rank in range(2)]
        runs = []
        for rank, log in enumerate(logs):
            env = dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
            env.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
            paths = [str(ROOT), str(Path(__file__).parent)]
            env['PYTHONPATH'] = os.pathsep.join(paths)
            launched = [words[0], *words[1:3], '--launcher', 'pytorch', *words[3:]]
            runs.append(start(launched, log, env=env))
        codes = [run.wait(timeout=200) for run in runs]
        return [(code, log.read_text()) for code, log in zip(codes, logs)]

    return run


def test_sigterm_to_one(train_two, tmp_path):
    """Both save after the same iteration, and go on as if nothing had been."""
    alone, work = tmp_path / 'alone', tmp_path / 'work'
    assert [code for code, _ in train_two(alone)] == [0, 0]
    ended = train_two(work, fault='sigterm', rank=1, moment=2)
    assert [code for code, _ in ended] == [0, 0], ended
    assert newest_checkpoint(work) == (work / 'iter_3.pth', [])
    ended = train_two(work, '--resume')
    assert [code for code, _ in ended] == [0, 0], ended
    assert 'resumed epoch: 1, iter: 3' in ended[0][1]
    assert_same(alone / 'epoch_2.pth', work / 'epoch_2.pth')


@pytest.mark.parametrize(('rank', 'moment'), [(1, 0), (0, 1)])
def test_sigterm_to_one_in_an_evaluation(train_two, tmp_path, rank, moment):
    """The second image of the first process is one that the other does not have."""
    ended = train_two(tmp_path / 'work', fault='evaluation', rank=rank, moment=moment)
    assert [code for code, _ in ended] == [0, 0], ended
    newest, damaged = newest_checkpoint(tmp_path / 'work')
    assert (newest.name, damaged) == ('iter_2.pth', [])
    assert read_checkpoint(str(newest))['meta']['epoch'] == 1
    assert ('coco/AP: ' in ended[0][1]) == (moment == 1)


def test_the_loss_of_one_is_no_number(train_two, tmp_path):
    ended = train_two(tmp_path / 'work', fault='loss', rank=1, moment=1)
    assert [code for code, _ in ended] == [2, 2], ended
    ends = [said.splitlines()[-1] for _, said in ended]
    assert 'error: the loss of another process is no number in iteration 2' in ends[0]
    assert 'error: the loss is nan in iteration 2, with the images ' in ends[1]
    assert not [*(tmp_path / 'work').glob('*.pth')]
