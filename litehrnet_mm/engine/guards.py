"""What ends a run that cannot come to good, and lets a resumed one go on the same."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from litehrnet_mm.engine.checkpointing import diverged
from litehrnet_mm.registry import HOOKS


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
        raise diverged(
            runner,
            f'the loss is {loss} in iteration {runner.iter + 1}, with the images '
            f'{", ".join(names)}',
        )


@HOOKS.register_module()
class ReseedHook(Hook):
    """Make what is random depend on the epoch and iteration, not on what was before.

    A resumed run then draws what it would have drawn without the interruption, and with
    ``num_workers=0`` on a CPU reaches the same weights bit for bit. Where training goes
    by iterations, MMEngine loads all images again that were seen before, and draws for
    them again what was drawn. Processes that load data have seeds of their own, by
    MMEngine. ``tools/train.py`` adds this hook where
    the config has a seed.

    Args:
        seed: Of the run.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what augments the first images."""
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        self._seed_images(runner.iter if by_epoch else 0)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed what is random in the network, such as dropout."""
        torch.manual_seed(self._number(runner.iter))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Seed what augments the next images."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            self._seed_images(runner.iter + 1)

    def _seed_images(self, iteration: int) -> None:
        number = self._number(iteration)
        random.seed(number)
        np.random.seed(number)

    def _number(self, iteration: int) -> int:
        numbers = np.random.SeedSequence((self.seed, get_rank(), iteration))
        return int(numbers.generate_state(1)[0])
