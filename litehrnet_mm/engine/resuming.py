"""What lets a resumed run go on as if it had never been interrupted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any, Union

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader, Sampler

from litehrnet_mm.cli import counted
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.registry import HOOKS

Loop = Union[EpochBasedTrainLoop, IterBasedTrainLoop]
COURSE = 'epoch_course'
"""Under this name a run knows what its batches are made of, since which iteration."""


@HOOKS.register_module()
class ReseedHook(Hook):
    """Make what is random depend on the iteration, not on what was before.

    A resumed run then draws what it would have drawn without the interruption, and with
    ``num_workers=0`` on a CPU reaches the same weights bit for bit. Processes that load
    data have seeds of their own, by MMEngine. ``tools/train.py`` adds this hook.

    Args:
        seed: To draw by; if not given, that of the run, which MMEngine draws where the
            config has none, and takes from the checkpoint that is resumed.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what augments the first images."""
        self._seed_images(runner, runner.iter)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed what is random in the network, such as dropout."""
        torch.manual_seed(self._number(runner, runner.iter))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Seed what augments the next images."""
        self._seed_images(runner, runner.iter + 1)

    def _seed_images(self, runner: Runner, iteration: int) -> None:
        number = self._number(runner, iteration)
        random.seed(number)
        np.random.seed(number)

    def _number(self, runner: Runner, iteration: int) -> int:
        seed = runner.seed if self.seed is None else self.seed
        numbers = np.random.SeedSequence((seed, get_rank(), iteration))
        return int(numbers.generate_state(1)[0])


@HOOKS.register_module()
class SkipSeenHook(Hook):
    """Have a resumed run go on with the images that it had not seen.

    In the midst of an epoch MMEngine starts it anew, and where training goes by
    iterations it loads all that was seen again to throw it away. Here neither is
    loaded, and the order of the images is what it was, also where the config has no
    seed. If the number of images, processes or images of a batch has changed, the
    epoch, or the order where training goes by iterations, starts anew.
    ``tools/train.py`` adds this hook.
    """

    # After MMEngine has told the sampler its epoch.
    priority = 'LOWEST'

    def before_train_epoch(self, runner: Runner) -> None:
        """Leave out what was seen, once, though the config may have this hook twice."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            sampler = loop.dataloader.batch_sampler.sampler
            if not (isinstance(sampler, _Rest) and sampler.seen):
                _go_on_in_epoch(runner, loop)
        elif isinstance(loop, IterBasedTrainLoop) and not isinstance(
            loop.dataloader_iterator, _Advanced
        ):
            _go_on_by_iterations(runner, loop)

    def after_train_epoch(self, runner: Runner) -> None:
        """Count the batches of the next epoch as MMEngine does."""
        vars(runner.train_loop).pop('run_iter', None)


def _go_on_in_epoch(runner: Runner, loop: EpochBasedTrainLoop) -> None:
    now = dict(_course(loop.dataloader), epoch=loop.epoch)
    known, begun = _known(runner, loop, now)
    if known is None and loop.iter != loop.epoch * now['batches']:
        warn(
            f'epoch {loop.epoch + 1} starts at its first image: the checkpoint does '
            'not tell what it had seen'
        )
    seen = loop.iter - begun if known and known['epoch'] == loop.epoch else 0
    if seen and seen == known['batches']:
        seen, known = now['batches'], now  # it was complete, however long it is now
    if seen and known == now:
        _leave_out(loop.dataloader.batch_sampler, seen)
        _count_from(loop, seen)
        return
    if seen:
        warn(
            f'epoch {loop.epoch + 1} starts anew: it had {_described(known)} when it '
            f'was interrupted after {counted(seen, "batch", "batches")}, and has '
            f'{_described(now)}'
        )
    _note(runner, loop, now, loop.iter)


def _go_on_by_iterations(runner: Runner, loop: IterBasedTrainLoop) -> None:
    now = _course(loop.dataloader)
    known, begun = _known(runner, loop, now)
    if known is None:
        begun = 0
    elif known != now:
        begun = loop.iter
        warn(
            f'the images start anew in another order: there were {_described(known)} '
            f'up to iteration {begun}, and are {_described(now)}'
        )
    _note(runner, loop, now, begun)
    if loop.iter:
        _go_on(loop, loop.iter - begun)


def _course(loader: DataLoader) -> dict[str, Any]:
    """What the images of each batch depend on, but for the seed of the sampler."""
    return dict(
        images=len(loader.dataset),
        batches=len(loader),
        batch_size=loader.batch_sampler.batch_size,
        processes=get_world_size(),
    )


def _note(runner: Runner, loop: Loop, now: dict[str, Any], begun: int) -> None:
    """Have the run, and its checkpoints, know a course that began in an iteration."""
    seed = getattr(loop.dataloader.batch_sampler.sampler, 'seed', None)
    runner.message_hub.update_info(COURSE, dict(now, begun=begun, seed=seed))


def _known(
    runner: Runner, loop: Loop, now: dict[str, Any]
) -> tuple[dict[str, Any] | None, int]:
    """The course that a run knows, ``None`` for no such one, and where it began.

    Its sampler gets the seed that it had then: MMEngine builds it before it knows
    the seed of the run that is resumed.
    """
    known = dict(runner.message_hub.runtime_info.get(COURSE) or {})
    begun, seed = known.pop('begun', loop.iter), known.pop('seed', None)
    if known.keys() != now.keys():
        return None, loop.iter
    sampler = loop.dataloader.batch_sampler.sampler
    if seed is not None and seed != getattr(sampler, 'seed', None):
        sampler.seed = seed
    return known, begun


def _described(course: dict[str, Any]) -> str:
    return (
        f'{counted(course["images"], "image")}, '
        f'{counted(course["batches"], "batch", "batches")} of {course["batch_size"]} '
        f'in {counted(course["processes"], "process", "processes")}'
    )


def _leave_out(batches: Any, seen: int) -> None:
    """Have a batch sampler begin after so many of its batches, once."""
    batches.sampler = _Rest(batches.sampler, seen * batches.batch_size)


def _count_from(loop: EpochBasedTrainLoop, seen: int) -> None:
    """Have the batches of this epoch numbered as if those seen were among them.

    Else the log names other iterations, and no hook knows the last one of the epoch.
    """
    run_iter = loop.run_iter
    loop.run_iter = lambda number, batch: run_iter(seen + number, batch)


def _go_on(loop: IterBasedTrainLoop, seen: int) -> None:
    """Have a loop that goes by iterations begin after so many batches of its course."""
    batches, epoch = loop.dataloader.batch_sampler, 0
    sampler = batches.sampler
    if isinstance(sampler, InfiniteSampler):
        # Processes that load data have drawn from it already: begin anew.
        batches.sampler = type(sampler)(sampler.dataset, sampler.shuffle, sampler.seed)
    else:
        epoch, seen = divmod(seen, len(loop.dataloader))
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
