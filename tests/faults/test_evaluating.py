"""What is owed of an evaluation when a run ends is done by the one that resumes it."""

from __future__ import annotations

import pytest
from interruptions import at, train_interrupted
from running import forget_runs

from litehrnet_mm.engine.launch import train


@pytest.fixture
def evaluated(watch, resume):
    """Go on with a run, and return the iterations after which it was evaluated."""

    def run(cfg):
        done = []
        watch(cfg, 'after_val', lambda runner: done.append(runner.iter))
        resume(cfg)
        return done

    return run


def test_sigterm_before_an_evaluation(prepare, watch, evaluated, tmp_path):
    """In the iteration it comes after, which is the last one of the run."""
    cfg = prepare(tmp_path, 2, by_epoch=False, evaluate=True)
    watch(cfg, 'after_train_iter', at(2))
    train_interrupted(cfg)
    assert evaluated(prepare(tmp_path, 2, by_epoch=False, evaluate=True)) == [2]
    assert evaluated(prepare(tmp_path, 2, by_epoch=False, evaluate=True)) == []


@pytest.mark.parametrize('by_epoch', [True, False])
def test_killed_before_an_evaluation(prepare, watch, evaluated, tmp_path, by_epoch):
    """With the checkpoint saved, and the evaluation not yet begun."""
    length = 1 if by_epoch else 2

    def kill(runner):
        raise KeyboardInterrupt

    cfg = prepare(tmp_path, length, by_epoch=by_epoch, evaluate=True)
    watch(cfg, 'before_val', kill)
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    forget_runs()
    again = prepare(tmp_path, length, by_epoch=by_epoch, evaluate=True)
    assert evaluated(again) == [2]


def test_none_is_owed_where_none_follows(prepare, watch, evaluated, tmp_path):
    """By epochs, from the second on, every other one, and the last."""

    def prepared():
        cfg = prepare(tmp_path, 4, evaluate=True)
        cfg.train_cfg.update(max_epochs=5, val_begin=2, val_interval=2)
        cfg.train_dataloader.dataset.indices = 2
        return cfg

    found = []
    for iteration in (2, 4, None):  # of one batch each: they are the epochs, too
        cfg = prepared()
        if iteration is not None:
            watch(cfg, 'before_train_epoch', stop_before(iteration))
        try:
            found += evaluated(cfg)
        except KeyboardInterrupt:
            forget_runs()
    assert found == [4, 5]


def stop_before(iteration):
    """Have a run killed before an iteration, counted from 1."""

    def kill(runner):
        if runner.iter + 1 == iteration:
            raise KeyboardInterrupt

    return kill
