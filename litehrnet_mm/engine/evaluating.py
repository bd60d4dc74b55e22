"""An evaluation that a run owes is done by the run that is resumed."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from litehrnet_mm.engine.agreement import any_process
from litehrnet_mm.engine.messages import say

OWED = 'evaluation.part'
"""The file of a work folder that is there until one is done, with the iterations."""

DONE = 'evaluated_iter'
"""Under this name a run knows the iterations that its last evaluation came after."""


def note_due(runner: Runner, meta: Mapping[str, int]) -> None:
    """Have it known that an evaluation follows on what is about to be saved.

    Args:
        runner: Whose training it is.
        meta: The epoch and the iteration that the checkpoint is of.
    """
    evaluated = runner.message_hub.runtime_info.get(DONE)
    if meta['iter'] != evaluated and _follows(runner, meta):
        _note(runner, meta['iter'])


def note_begun(runner: Runner) -> None:
    """Have it known that an evaluation runs, whatever ends it."""
    _note(runner, runner.iter)


def note_done(runner: Runner) -> None:
    """Have it known that it has ended."""
    runner.message_hub.update_info(DONE, runner.iter)
    if is_main_process():
        with suppress(OSError):
            _file(runner).unlink()


def make_up(runner: Runner) -> None:
    """Evaluate now, if the run that is resumed was interrupted before it had.

    All processes have to call it.
    """
    due = False
    if is_main_process() and runner._resume:
        with suppress(OSError, ValueError):
            due = int(_file(runner).read_text(encoding='utf-8')) == runner.iter
    if any_process(due) and runner.val_loop is not None:
        say('the evaluation that was interrupted is done now')
        runner.val_loop.run()


def _follows(runner: Runner, meta: Mapping[str, int]) -> bool:
    """Whether MMEngine evaluates next, after a checkpoint of an epoch or iteration."""
    loop = runner.train_loop
    if runner.val_loop is None:
        return False
    if isinstance(loop, EpochBasedTrainLoop):
        number, last = meta['epoch'], loop.max_epochs
        if number == loop.epoch:  # the epoch after it has not ended
            return False
    elif isinstance(loop, IterBasedTrainLoop):
        number, last = meta['iter'], loop.max_iters
    else:
        return False
    interval = loop.dynamic_intervals[bisect(loop.dynamic_milestones, number + 1) - 1]
    return number >= loop.val_begin and (number % interval == 0 or number == last)


def _note(runner: Runner, iterations: int) -> None:
    """Write them down; no room is no fault."""
    if is_main_process():
        with suppress(OSError):
            _file(runner).write_text(str(iterations), encoding='utf-8')


def _file(runner: Runner) -> Path:
    return Path(runner.work_dir) / OWED
