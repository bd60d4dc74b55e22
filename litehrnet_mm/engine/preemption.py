"""An end in good order at SIGTERM, which Slurm sends before it takes a node."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, NoReturn

from mmengine.hooks import EMAHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from litehrnet_mm.engine.agreement import any_process, fewest
from litehrnet_mm.engine.checkpointing import WholeCheckpointHook
from litehrnet_mm.engine.evaluating import make_up, note_begun, note_done
from litehrnet_mm.registry import HOOKS


class _NothingNewExit(SystemExit):
    """The end at SIGTERM of a process that has nothing to save."""


@contextmanager
def ends_at_sigterm() -> Iterator[None]:
    """End with status 0 at SIGTERM, while there is nothing yet that could be saved.

    Only the main thread of a process can listen; in others nothing changes.
    """
    if not _in_main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _end_at_once)
    try:
        yield
    except _NothingNewExit:
        print_log(
            'SIGTERM: ended, and nothing was new since the last checkpoint', 'current'
        )
        raise SystemExit(0) from None
    finally:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, former)


def _end_at_once(number: int, frame: Any) -> NoReturn:
    _mind_no_more()
    raise _NothingNewExit(0)  # nothing is said here, where another line may be written


def _mind_no_more() -> None:
    """Mind no further SIGTERM: one often comes by more than one way."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save and end with status 0 at SIGTERM.

    The iteration that runs is finished, of training or of evaluation; the checkpoint is
    ``iter_N.pth`` of the folder for checkpoints, and ``--resume`` goes on from it.
    Where there are several processes, all end after the same iteration, if one of them
    was sent the signal. What computes metrics after the last image is finished. An
    evaluation that was interrupted, by a signal or by a kill, is done first after a
    resume. ``tools/train.py`` adds this hook.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.asked = False
        self._former: Any = None
        self._common = 0

    def before_train(self, runner: Runner) -> None:
        """Listen once all processes have come here; only the main thread can.

        One that had not would end at once, and leave the others waiting for it.
        """
        any_process(False)
        if _in_main_thread():
            self._former = signal.signal(signal.SIGTERM, self._note)
        make_up(runner)

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)

    def _note(self, number: int, frame: Any) -> None:
        self.asked = True

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Save and end, if any process was asked to: all do in the same iteration."""
        if any_process(self.asked):
            _save_and_end(runner, runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """Agree on iterations that all processes have: some have one more."""
        self._common = fewest(len(runner.val_dataloader))
        note_begun(runner)

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Save and end, if any process was asked to."""
        if batch_idx < self._common and any_process(self.asked):
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # has put its averages into the model
                    hook.after_val_epoch(runner)
            _save_and_end(runner, runner.iter)

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Save and end, if any process was asked to."""
        note_done(runner)
        if any_process(self.asked):
            _save_and_end(runner, runner.iter)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def asked_to_end(runner: Runner) -> bool:
    """Whether this process was sent SIGTERM, and should soon come to save."""
    return any(isinstance(x, PreemptionHook) and x.asked for x in runner.hooks)


def _save_and_end(runner: Runner, done: int) -> NoReturn:
    """Save after so many iterations, and end."""
    said = 'the config has no checkpoint hook of ours, so nothing is saved'
    for hook in runner.hooks:
        if isinstance(hook, WholeCheckpointHook):
            said = f'saved {hook.save_now(runner, done)}; --resume goes on'
    print_log(f'SIGTERM: ended, and {said}', 'current')
    if _in_main_thread():
        _mind_no_more()
    raise SystemExit(0)


class PreemptibleRunner(Runner):
    """MMEngine's runner, whose processes that load data outlast a SIGTERM to all.

    Slurm and shells may send it to each process of a run. Without those that load data
    the iteration could not be finished.
    """

    @staticmethod
    def build_dataloader(*args: Any, **settings: Any) -> DataLoader:
        """Build a data loader; arguments as MMEngine's."""
        loader = Runner.build_dataloader(*args, **settings)
        loader.worker_init_fn = partial(_shield, loader.worker_init_fn)
        return loader


def _shield(prepare: Callable[[int], None] | None, number: int) -> None:
    """Have a process that loads data end for its parent only."""
    if prepare is not None:
        prepare(number)
    if hasattr(signal, 'sigwaitinfo'):  # it says who sent a signal; not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        watch = threading.Thread(target=_obey, args=(os.getppid(),), daemon=True)
        watch.start()


def _obey(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
