"""From a config to a finished run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from litehrnet_mm.checkpoints.compare import check_fits
from litehrnet_mm.checkpoints.files import is_local, read_checkpoint
from litehrnet_mm.checkpoints.targets import name_of
from litehrnet_mm.cli import UserError, make_folder
from litehrnet_mm.engine.backend_check import check_backends
from litehrnet_mm.engine.building import bare_model
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.disk_errors import disk_errors
from litehrnet_mm.engine.keypoint_check import check_keypoints
from litehrnet_mm.engine.loading import CurrentKeysHook
from litehrnet_mm.engine.mask_check import check_masks, watch_masks
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.engine.preemption import PreemptibleRunner, ends_at_sigterm
from litehrnet_mm.engine.preflight import check_data
from litehrnet_mm.engine.settings_check import check_settings
from litehrnet_mm.engine.whole_files import is_whole, newest_checkpoint

TRAINING_STATE = ('optimizer', 'message_hub', 'meta')


def build_runner(cfg: Config) -> Runner:
    """Build MMEngine's runner, on the CPU too where processes are distributed.

    MMEngine's launcher and its wrapping of the model take a GPU for granted.

    Raises:
        UserError: If the work folder cannot be made.
    """
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        torch.distributed.init_process_group('gloo')
        on_cpu = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        )
        cfg.setdefault('model_wrapper_cfg', on_cpu)
        if _replace_type(cfg.model, 'SyncBN', 'BN') and is_main_process():
            print_log('SyncBN needs GPUs: BN is used in its place', 'current')
    make_folder(Path(cfg.work_dir), 'work folder')
    return PreemptibleRunner.from_cfg(cfg)


def _replace_type(node: Any, old: str, new: str) -> bool:
    """Replace a type wherever a part of a config has it; whether it had."""
    items = list(node.values()) if isinstance(node, dict) else node
    if not isinstance(items, (list, tuple)):
        return False
    found = isinstance(node, dict) and node.get('type') == old
    if found:
        node['type'] = new
    for item in items:
        found = _replace_type(item, old, new) or found
    return found


def train(cfg: Config) -> None:
    """Train as the config says.

    Raises:
        UserError: If settings make no sense, data or checkpoints that the config names
            are missing or unusable, training diverges, or what it ends with cannot be
            saved.
    """
    with ends_at_sigterm(), disk_errors(cfg):
        _train(cfg)


def _train(cfg: Config) -> None:
    validates = cfg.get('val_cfg') is not None
    splits = ('train', 'val') if validates else ('train',)
    check_settings(cfg, splits)
    _check_launcher(cfg)
    _check_amp(cfg)
    check_backends(cfg)
    check_data(cfg, splits)
    check_keypoints(cfg, splits)
    masks = check_masks(cfg, splits)
    source, checkpoint = _read_start(cfg)
    _check_pretrained(cfg.model)
    _make_safe(cfg)
    with data_errors(cfg):
        runner = build_runner(cfg)
        watch_masks(runner, masks)
        if checkpoint is not None:
            model, partly = bare_model(runner), not cfg.get('resume')
            check_fits(source, checkpoint, model, partly)
            runner.register_hook(CurrentKeysHook())
        runner.train()
    _leave_group()


def test(cfg: Config, allow_partial: bool, list_all: bool) -> None:
    """Evaluate the checkpoint that ``cfg.load_from`` names.

    Args:
        cfg: The whole config.
        allow_partial: Evaluate even if the checkpoint does not fit, as long as any
            of its entries does.
        list_all: List all that does not fit, not the first 20 entries of each kind.

    Raises:
        UserError: If settings make no sense, or data or checkpoint are missing or
            unusable.
    """
    source = cfg.load_from
    check_settings(cfg, ('test',))
    _check_launcher(cfg)
    checkpoint = read_checkpoint(source) if is_local(source) else None
    check_backends(cfg)
    check_data(cfg, ('test',))
    check_keypoints(cfg, ('test',))
    masks = check_masks(cfg, ('test',))
    _check_pretrained(cfg.model)
    with data_errors(cfg):
        runner = build_runner(cfg)
        watch_masks(runner, masks)
        if checkpoint is not None:
            model = bare_model(runner)
            check_fits(source, checkpoint, model, allow_partial, list_all, _way_out)
            runner.register_hook(CurrentKeysHook())
        metrics = runner.test()
    _say_nothing_counted(metrics)
    _leave_group()


def _say_nothing_counted(metrics: Mapping[str, float]) -> None:
    """Tell what metrics mean that are no numbers."""
    if metrics.get('coco/AP') == -1:
        why = 'AP is -1: the annotations have no person to count'
    elif math.isnan(metrics.get('mIoU', 0)):
        why = 'mIoU is NaN: no pixel of the masks has a class'
    else:
        return
    warn(why)


def _leave_group() -> None:
    """End communication between processes: its threads may abort an exiting Python."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _way_out(weights: Mapping[str, Tensor]) -> str:
    """What to do if a checkpoint does not fit: name its net, if it is one of ours."""
    return name_of(weights) or '--allow-partial evaluates it all the same'


def _check_amp(cfg: Config) -> None:
    """MMEngine has mixed precision for accelerators only, and says so too late."""
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper' and get_device() == 'cpu':
        raise UserError(
            'mixed precision (optim_wrapper.type=AmpOptimWrapper, --amp) needs a GPU, '
            'and PyTorch finds none'
        )


def _make_safe(cfg: Config) -> None:
    """Have whole checkpoints, ends in good order, the same course after a resume."""
    by_default = dict(checkpoint=dict(type='CheckpointHook', interval=1))  # MMEngine's
    hooks = {**by_default, **(cfg.get('default_hooks') or {})}
    custom = [*(cfg.get('custom_hooks') or ())]
    for hook in (*hooks.values(), *custom):
        if isinstance(hook, dict) and _is_checkpoint_hook(hook.get('type')):
            hook['type'] = 'litehrnet_mm.WholeCheckpointHook'
    cfg.default_hooks = hooks
    names = ('Preemption', 'LossGuard', 'SkipSeen')
    guards = [dict(type=f'litehrnet_mm.{name}Hook') for name in names]
    seed = cfg.get('randomness', {}).get('seed')
    if seed is not None:
        guards.append(dict(type='litehrnet_mm.ReseedHook', seed=seed))
    cfg.custom_hooks = [*custom, *guards]


def _is_checkpoint_hook(kind: object) -> bool:
    """Whether a type is MMEngine's own, by whatever name."""
    return (HOOKS.get(kind) if isinstance(kind, str) else kind) is CheckpointHook


def _check_launcher(cfg: Config) -> None:
    """MMEngine divides by the number of GPUs under Slurm."""
    if cfg.launcher == 'slurm' and not torch.cuda.is_available():
        raise UserError(
            '--launcher slurm needs GPUs, and PyTorch finds none: on CPUs '
            'start the processes with tools/dist_train.sh or tools/dist_test.sh'
        )


def _check_pretrained(node: object) -> None:
    """Read the files that ``init_cfg=dict(type='Pretrained', ...)`` names."""
    if isinstance(node, (list, tuple)):
        for item in node:
            _check_pretrained(item)
    if isinstance(node, dict):
        source = node.get('checkpoint')
        if node.get('type') == 'Pretrained' and source and is_local(source):
            _check_prefix(source, read_checkpoint(source), node.get('prefix'))
        for item in node.values():
            _check_pretrained(item)


def _check_prefix(source: str, checkpoint: dict[str, Any], prefix: str | None) -> None:
    """MMEngine fails without a file's name where no entry has the prefix."""
    entries = checkpoint['state_dict']
    if prefix and not any(key.startswith(prefix) for key in entries):
        raise UserError(
            f'{source}: no entry starts with {prefix!r}, the prefix of init_cfg; the '
            f'first is {next(iter(entries), None)!r}: drop the prefix for weights of a '
            'backbone alone'
        )


def _read_start(cfg: Config) -> tuple[str | None, dict[str, Any] | None]:
    """Read the checkpoint that training would start from before anything is built.

    Returns:
        Its path and content; ``None`` for what there is not, or is no local file.
    """
    if cfg.get('resume') == 'auto' or (cfg.get('resume') and not cfg.get('load_from')):
        newest = _find_newest(Path(cfg.work_dir))
        cfg.resume = newest is not None
        if newest is not None:
            # MMEngine would look for it, too, and takes what is damaged.
            cfg.load_from = str(newest)
    source = cfg.get('load_from')
    if source is None or not is_local(source):
        return source, None
    checkpoint = read_checkpoint(source)
    lacking = _lacking(checkpoint)
    if cfg.get('resume') and lacking:
        raise UserError(
            f'{source} cannot be resumed from: it {lacking}; start from it with '
            f'--cfg-options load_from={source}'
        )
    return source, checkpoint


def _find_newest(work: Path) -> Path | None:
    """The newest checkpoint of a work folder that can be resumed from, if it has any.

    Raises:
        UserError: If it has some, but none that can be.
    """
    newest, passed = newest_checkpoint(work, _can_go_on)
    if passed and newest is None:
        raise UserError(
            f'no checkpoint of {work} is whole and can be resumed from: train without '
            '--resume into another --work-dir'
        )
    return newest


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
    return f'holds weights without {", ".join(lacking)}' if lacking else None
