"""An evaluation that is interrupted is done by the run that is resumed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from litehrnet_mm.engine.agreement import any_process
from litehrnet_mm.engine.messages import say

BEGUN = 'evaluation.part'
"""The file of a work folder that is there while one runs, with the iterations done."""


def note_begun(runner: Runner) -> None:
    """Have it known that an evaluation runs, whatever ends it; no room is no fault."""
    if is_main_process():
        with suppress(OSError):
            _file(runner).write_text(str(runner.iter), encoding='utf-8')


def note_done(runner: Runner) -> None:
    """Have it known that it has ended."""
    if is_main_process():
        with suppress(OSError):
            _file(runner).unlink()


def make_up(runner: Runner) -> None:
    """Evaluate now, if the run that is resumed was interrupted while it did.

    All processes have to call it.
    """
    due = False
    if is_main_process() and runner._resume:
        with suppress(OSError, ValueError):
            due = int(_file(runner).read_text(encoding='utf-8')) == runner.iter
    if any_process(due) and runner.val_loop is not None:
        say('the evaluation that was interrupted is done now')
        runner.val_loop.run()


def _file(runner: Runner) -> Path:
    return Path(runner.work_dir) / BEGUN
