"""An end in good order at SIGTERM, which Slurm sends before it takes a node."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, Callable

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from litehrnet_mm.engine.checkpointing import WholeCheckpointHook
from litehrnet_mm.registry import HOOKS


@contextmanager
def ends_at_sigterm() -> Iterator[None]:
    """End with status 0 at SIGTERM, while there is nothing yet that could be saved.

    Only the main thread of a process can listen; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _end(number: int, frame: Any) -> None:
    print_log('SIGTERM: ended; nothing was new since the last checkpoint', 'current')
    raise SystemExit(0)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save and end with status 0 at SIGTERM.

    The iteration that runs is finished, of training or of evaluation; the checkpoint is
    ``iter_N.pth`` of the work folder, and ``--resume`` goes on from it. Where training
    goes by epochs, the images that an epoch has seen already are then left out of it.
    An evaluation is not made up for. ``tools/train.py`` adds this hook.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.asked = False
        self._former: Any = None

    def before_train(self, runner: Runner) -> None:
        """Listen; only the main thread of a process can."""
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._note)

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)

    def _note(self, number: int, frame: Any) -> None:
        self.asked = True

    def before_train_epoch(self, runner: Runner) -> None:
        """Leave out what the epoch had seen before it was interrupted."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            seen = loop.iter - loop.epoch * len(loop.dataloader)
            if 0 < seen <= len(loop.dataloader):
                batches = loop.dataloader.batch_sampler
                batches.sampler = _Rest(batches.sampler, seen * batches.batch_size)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Save and end, if any process was asked to: all do in the same iteration."""
        asked = self.asked
        if get_world_size() > 1:
            device = 'cuda' if torch.distributed.get_backend() == 'nccl' else 'cpu'
            answers = torch.tensor(int(asked), device=device)
            all_reduce(answers, 'max')
            asked = bool(answers)
        if asked:
            self._save_and_end(runner, runner.iter + 1)

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Save and end, if this process was asked to.

        Processes may have other numbers of images to evaluate, and cannot agree here.
        """
        if not self.asked:
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):  # has put its averages into the model
                hook.after_val_epoch(runner)
        self._save_and_end(runner, runner.iter)

    @staticmethod
    def _save_and_end(runner: Runner, done: int) -> None:
        """Save after so many iterations, and end."""
        said = 'the config has no checkpoint hook, so nothing is saved'
        for hook in runner.hooks:
            if isinstance(hook, WholeCheckpointHook):
                said = f'saved {hook.save_now(runner, done)}; --resume goes on'
        print_log(f'SIGTERM: ended, and {said}', 'current')
        raise SystemExit(0)


class _Rest:
    """A sampler without its first samples, once."""

    def __init__(self, sampler: Any, seen: int) -> None:
        self.sampler, self.seen = sampler, seen

    def __iter__(self):
        seen, self.seen = self.seen, 0
        return islice(iter(self.sampler), seen, None)

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)


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
