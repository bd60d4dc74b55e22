"""What ends a run early in good order, and lets it go on as if nothing had been."""

from __future__ import annotations

import math
import random
import signal
import threading
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.checkpointing import WholeCheckpointHook
from litehrnet_mm.registry import HOOKS

ASKED_EVERY = 10
"""Iterations after which several processes ask each other for a signal."""


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save and end with status 0 at SIGTERM, which Slurm sends before it takes a node.

    The iteration that runs is finished; the checkpoint is ``iter_N.pth`` of the work
    folder, and ``--resume`` goes on from it. Where training goes by epochs, the images
    that an epoch has seen already are then left out of it. The signal is taken while
    training, not while evaluating; ``tools/train.py`` adds this hook.
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
        """Save and end, if that was asked for."""
        if not self._all_stop(runner.iter):
            return
        name = f'iter_{runner.iter + 1}.pth'
        for hook in runner.hooks:
            if isinstance(hook, WholeCheckpointHook):
                hook.save_now(runner, name)
        print_log(f'SIGTERM: saved {name} and ended; --resume goes on', 'current')
        raise SystemExit(0)

    def _all_stop(self, iteration: int) -> bool:
        """Whether any process was asked, on all of them in the same iteration."""
        if get_world_size() == 1:
            return self.asked
        if iteration % ASKED_EVERY:
            return False
        device = 'cuda' if torch.distributed.get_backend() == 'nccl' else 'cpu'
        asked = torch.tensor(int(self.asked), device=device)
        all_reduce(asked, 'max')
        return bool(asked)


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


@HOOKS.register_module()
class LossGuardHook(Hook):
    """End training at a loss that is NaN or infinite, which it cannot recover from.

    ``tools/train.py`` adds this hook.
    """

    # Before checkpoints are saved: none must hold such weights.
    priority = 'ABOVE_NORMAL'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Look at the loss.

        Raises:
            UserError: If it is no number.
        """
        loss = (outputs or {}).get('loss', 0.0)
        loss = loss.item() if isinstance(loss, torch.Tensor) else loss
        if math.isfinite(loss):
            return
        samples = (data_batch or {}).get('data_samples', ())
        names = [str(s.get('img_id', s.get('img_path', '?'))) for s in samples]
        last = runner.message_hub.runtime_info.get('last_ckpt')
        raise UserError(
            f'the loss is {loss} in iteration {runner.iter + 1}, with the images '
            f'{", ".join(names)}; the last good checkpoint is {last or "none so far"}. '
            'Often a lower learning rate or a longer warm-up helps'
        )


@HOOKS.register_module()
class ReseedHook(Hook):
    """Make what is random depend on the epoch and iteration, not on what was before.

    A resumed run then draws what it would have drawn without the interruption, and with
    ``num_workers=0`` on a CPU reaches the same weights bit for bit. Processes that load
    data have seeds of their own, by MMEngine. ``tools/train.py`` adds this hook where
    the config has a seed.

    Args:
        seed: Of the run.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what augments images."""
        number = np.random.SeedSequence((self.seed, get_rank(), runner.epoch))
        state = int(number.generate_state(1)[0])
        random.seed(state)
        np.random.seed(state)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed what is random in the network, such as dropout."""
        number = np.random.SeedSequence((self.seed, get_rank(), runner.iter))
        torch.manual_seed(int(number.generate_state(1)[0]))
