"""The checkpoint that a training starts from, or goes on with."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.hooks import EarlyStoppingHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch.optim import Optimizer

from litehrnet_mm.checkpoints.files import is_local, read_checkpoint
from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.engine.disk_errors import checkpoint_settings
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.engine.whole_files import is_whole, named_last, newest_checkpoint

TRAINING_STATE = ('optimizer', 'message_hub', 'meta')


def read_start(cfg: Config) -> tuple[str | None, dict[str, Any] | None]:
    """Read the checkpoint that training would start from before anything is built.

    Args:
        cfg: The whole config. Its ``resume`` may also be the path of a checkpoint, or
            ``'auto'``, which goes before ``load_from``. Both are changed to what
            MMEngine takes.

    Returns:
        Its path and content; ``None`` for what there is not, or is no local file.

    Raises:
        UserError: If it cannot be read, or not be resumed from.
    """
    resume = cfg.get('resume')
    if resume == 'auto' or (resume is True and not cfg.get('load_from')):
        newest = _find_newest(cfg)
        cfg.resume = newest is not None
        if newest is not None:
            # MMEngine would look for it, too, and takes what is damaged.
            cfg.load_from = newest
    elif isinstance(resume, str):
        cfg.resume, cfg.load_from = True, resume
    source = cfg.get('load_from')
    if source is None or not is_local(source):
        return source, None
    checkpoint = read_checkpoint(source)
    lacking = _lacking(checkpoint)
    if cfg.get('resume') and lacking:
        raise _not_resumable(source, f'it {lacking}')
    return source, checkpoint


def _not_resumable(source: str, reason: str) -> UserError:
    return UserError(
        f'{source} cannot be resumed from: {reason}; start from it with '
        f'--cfg-options load_from={source}'
    )


def _find_newest(cfg: Config) -> str | None:
    """The newest checkpoint of a work folder that can be resumed from, if it has any.

    Raises:
        UserError: If it has some, but none that can be.
    """
    work = Path(cfg.work_dir)
    last = named_last(work)
    if last and not is_local(last):
        return last  # of a store that MMEngine reads, and we cannot look at
    newest, passed = newest_checkpoint(work, _can_go_on, checkpoint_settings(cfg))
    if passed and newest is None:
        raise UserError(
            f'no checkpoint of {work} is whole and can be resumed from: train without '
            '--resume into another --work-dir'
        )
    return None if newest is None else str(newest)


def _can_go_on(path: Path) -> bool:
    """Whether a checkpoint can be resumed from; if it cannot, why is said."""
    reason = _why_not(path)
    if reason:
        warn(f'{path} is passed over: {reason}')
    return not reason


def _why_not(path: Path) -> str | None:
    """Why a checkpoint cannot be resumed from, if it cannot."""
    if not is_whole(path):
        return 'it is damaged'
    try:
        lacking = _lacking(read_checkpoint(str(path)))
    except UserError as error:
        return str(error)
    return lacking and f'it {lacking}'


def _lacking(checkpoint: Mapping[str, Any]) -> str | None:
    """What a checkpoint does not hold of what training goes on with, if anything."""
    lacking = [key for key in TRAINING_STATE if key not in checkpoint]
    meta = checkpoint.get('meta', {})
    if not lacking and not (isinstance(meta, Mapping) and {'epoch', 'iter'} <= {*meta}):
        lacking = ['the epoch and the iteration that it is of']
    return f'holds weights without {", ".join(lacking)}' if lacking else None


def check_same_start(
    source: str | None, checkpoint: Mapping[str, Any] | None, resume: bool
) -> None:
    """Check that all processes of a run start from the same; all of them have to ask.

    Each has looked for it by itself: their disks may not be one.

    Args:
        source: The checkpoint's path in this process.
        checkpoint: What it holds.
        resume: Whether it is resumed from.

    Raises:
        UserError: In all of them, if they do not.
    """
    meta = (checkpoint or {}).get('meta')
    known = [meta.get('iter'), meta.get('time')] if isinstance(meta, Mapping) else []
    where = source if checkpoint is None else Path(source).stat().st_size
    starts = all_gather_object((bool(resume), where, known, source))
    for rank, start in enumerate(starts):
        if start[:-1] != starts[0][:-1]:
            first, other = (_described(start) for start in (starts[0], start))
            raise UserError(
                f'the processes of this run do not start from the same: the first one '
                f'from {first}, process {rank} from {other}; have the checkpoint on a '
                'disk that all of them share'
            )


def _described(start: tuple[bool, Any, list[Any], str | None]) -> str:
    _, _, known, source = start
    after = f' after iteration {known[0]}' if known else ''
    return 'no checkpoint' if source is None else f'{source}{after}'


def check_goes_on(source: str, checkpoint: Mapping[str, Any], runner: Runner) -> None:
    """Check that optimizer and schedules of a run can go on as a checkpoint left them.

    Args:
        source: The checkpoint's path, for messages.
        checkpoint: What it holds.
        runner: That of the run; its optimizer is built, since that takes its model.

    Raises:
        UserError: If the optimizer cannot.
    """
    wrapper = runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    saved = checkpoint['optimizer']
    try:
        if isinstance(wrapper, OptimWrapperDict):
            pairs = [(one.optimizer, saved[name]) for name, one in wrapper.items()]
        else:
            pairs = [(wrapper.optimizer, saved)]
        lost = set().union(*(_lost(*pair) for pair in pairs))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _not_resumable(
            source, f'it is of another optimizer: {one_line(error)}'
        ) from error
    if lost:
        names = ', '.join(sorted(lost))
        raise _not_resumable(source, f'it is of another optimizer, without {names}')
    if any(isinstance(hook, EarlyStoppingHook) for hook in runner.hooks):
        warn(
            'EarlyStoppingHook counts anew from here, since MMEngine does not save '
            'what it has counted: the run may end later than one left alone'
        )
    planned, schedules = runner.param_schedulers, checkpoint.get('param_schedulers', [])
    count = len(planned) if isinstance(planned, list) else 1
    if planned and isinstance(schedules, list) and len(schedules) != count:
        warn(
            f'{source} has the state of {len(schedules)} schedules of the learning '
            f'rate, and the config has {count} (param_scheduler): those that it does '
            'not have start anew'
        )


def _lost(optimizer: Optimizer, saved: dict[str, Any]) -> set[str]:
    """Settings that an optimizer would lose with a saved state.

    Raises:
        Exception: Of several types, if the state does not fit.
    """
    probe = copy.copy(optimizer)  # in which alone groups are replaced
    probe.load_state_dict({**saved, 'state': {}})
    return {key for x in probe.param_groups for key in probe.defaults.keys() - x.keys()}
