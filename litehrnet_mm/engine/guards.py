"""What ends a run that cannot come to good."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from litehrnet_mm.engine.agreement import any_process
from litehrnet_mm.engine.divergence import diverged
from litehrnet_mm.registry import HOOKS


@HOOKS.register_module()
class LossGuardHook(Hook):
    """End training at a loss that is NaN or infinite, which it cannot recover from.

    If it is that of one process, all of them end. ``tools/train.py`` adds this hook.
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
            UserError: If it is no number, here or in another process.
        """
        loss = (outputs or {}).get('loss', 0.0)
        loss = loss.item() if isinstance(loss, torch.Tensor) else loss
        sound = math.isfinite(loss)
        if not any_process(not sound):
            return
        samples = (data_batch or {}).get('data_samples', ())
        names = [str(s.get('img_id', s.get('img_path', '?'))) for s in samples]
        what = f'is {loss}' if not sound else 'of another process is no number'
        raise diverged(
            runner,
            f'the loss {what} in iteration {runner.iter + 1}, with the images '
            f'{", ".join(names)}' + (' here' if sound else ''),
        )
