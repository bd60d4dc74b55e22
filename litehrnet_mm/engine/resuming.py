"""What lets a resumed run go on as if it had never been interrupted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import Sampler

from litehrnet_mm.cli import counted
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.registry import HOOKS

COURSE = 'epoch_course'
"""Under this name a run knows what epoch it is in, and since which iteration."""


@HOOKS.register_module()
class ReseedHook(Hook):
    """Make what is random depend on the iteration, not on what was before.

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
        """Seed what augments the first images."""
        self._seed_images(runner.iter)

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
        self._seed_images(runner.iter + 1)

    def _seed_images(self, iteration: int) -> None:
        number = self._number(iteration)
        random.seed(number)
        np.random.seed(number)

    def _number(self, iteration: int) -> int:
        numbers = np.random.SeedSequence((self.seed, get_rank(), iteration))
        return int(numbers.generate_state(1)[0])


@HOOKS.register_module()
class SkipSeenHook(Hook):
    """Have a resumed run go on with the images that it had not seen.

    In the midst of an epoch MMEngine starts it anew, and where training goes by
    iterations it loads all that was seen again to throw it away. Here neither is
    loaded. An epoch that has another length by now, since the number of images,
    processes or images of a batch has changed, starts anew. ``tools/train.py`` adds
    this hook.
    """

    # After MMEngine has told the sampler its epoch.
    priority = 'LOWEST'

    def before_train_epoch(self, runner: Runner) -> None:
        """Leave out what was seen."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            self._go_on_in_epoch(runner, loop)
        elif isinstance(loop, IterBasedTrainLoop) and loop.iter:
            _go_on(loop)

    @staticmethod
    def _go_on_in_epoch(runner: Runner, loop: EpochBasedTrainLoop) -> None:
        batches = loop.dataloader.batch_sampler
        now = dict(
            epoch=loop.epoch,
            batches=len(loop.dataloader),
            batch_size=batches.batch_size,
            processes=get_world_size(),
        )
        known = dict(runner.message_hub.runtime_info.get(COURSE) or {})
        begun = known.pop('begun', loop.iter)
        seen = loop.iter - begun if known.get('epoch') == loop.epoch else 0
        if seen and seen == known['batches']:
            seen, known = now['batches'], now  # it was complete, however long it is now
        if seen and known == now:
            _leave_out(batches, seen)
            return
        if seen:
            warn(
                f'epoch {loop.epoch + 1} starts anew: it was {known} when it was '
                f'interrupted after {counted(seen, "batch", "batches")}, and is {now}'
            )
        runner.message_hub.update_info(COURSE, dict(now, begun=loop.iter))


def _leave_out(batches: Any, seen: int) -> None:
    """Have a batch sampler begin after so many of its batches, once."""
    batches.sampler = _Rest(batches.sampler, seen * batches.batch_size)


def _go_on(loop: IterBasedTrainLoop) -> None:
    """Have a loop that goes by iterations begin after those that it has behind it."""
    batches, epoch, seen = loop.dataloader.batch_sampler, 0, loop.iter
    sampler = batches.sampler
    if isinstance(sampler, InfiniteSampler):
        # Processes that load data have drawn from it already: begin anew.
        batches.sampler = type(sampler)(sampler.dataset, sampler.shuffle, sampler.seed)
    else:
        epoch, seen = divmod(loop.iter, len(loop.dataloader))
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(epoch)
    _leave_out(batches, seen)
    iterator = type(loop.dataloader_iterator)(loop.dataloader)
    iterator._epoch = epoch
    loop.dataloader_iterator = _Advanced(iterator, loop.iter)


class _Rest:
    """A sampler without its first samples, once."""

    def __init__(self, sampler: Sampler, seen: int) -> None:
        self.sampler, self.seen = sampler, seen

    def __iter__(self) -> Iterator[int]:
        seen, self.seen = self.seen, 0
        return islice(iter(self.sampler), seen, None)

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)


class _Advanced:
    """Batches, after so many that MMEngine asks for only to throw them away."""

    def __init__(self, batches: Iterator[dict], skipped: int) -> None:
        self.batches, self.skipped = batches, skipped

    def __iter__(self) -> Iterator[dict | None]:
        return self

    def __next__(self) -> dict | None:
        if self.skipped:
            self.skipped -= 1
            return None
        return next(self.batches)
