"""From a config to a finished run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from litehrnet_mm.engine.guards import LossGuardHook
from litehrnet_mm.engine.keypoint_check import check_keypoints
from litehrnet_mm.engine.loading import CurrentKeysHook
from litehrnet_mm.engine.mask_check import check_masks, watch_masks
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.engine.preemption import (
    PreemptibleRunner,
    PreemptionHook,
    ends_at_sigterm,
)
from litehrnet_mm.engine.preflight import check_data
from litehrnet_mm.engine.resuming import ReseedHook, SkipSeenHook
from litehrnet_mm.engine.settings_check import check_settings
from litehrnet_mm.engine.starting import check_goes_on, check_same_start, read_start

GUARDS = (PreemptionHook, LossGuardHook, SkipSeenHook, ReseedHook)
"""Hooks that each training has."""


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
    with ends_at_sigterm(), disk_errors(cfg), _leaves_group():
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
    given = dict(resume=cfg.get('resume') is True, load_from=cfg.get('load_from'))
    source, checkpoint = read_start(cfg)
    _check_pretrained(cfg.model)
    _make_safe(cfg)
    with data_errors(cfg):
        runner = build_runner(cfg)
        # The work folder's config says nothing of what this run alone goes on from.
        runner.cfg.merge_from_dict(given)
        runner.dump_config()
        watch_masks(runner, masks)
        check_same_start(source, checkpoint, cfg.get('resume'))
        if checkpoint is not None:
            model, partly = bare_model(runner), not cfg.get('resume')
            check_fits(source, checkpoint, model, partly)
            if cfg.get('resume'):
                check_goes_on(source, checkpoint, runner)
            runner.register_hook(CurrentKeysHook())
        runner.train()


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
    with _leaves_group():
        _test(cfg, allow_partial, list_all)


def _test(cfg: Config, allow_partial: bool, list_all: bool) -> None:
    source = cfg.load_from
    cfg.resume = False  # the config that a training left may say otherwise
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


def _say_nothing_counted(metrics: Mapping[str, float]) -> None:
    """Tell what metrics mean that are no numbers."""
    if metrics.get('coco/AP') == -1:
        why = 'AP is -1: the annotations have no person to count'
    elif math.isnan(metrics.get('mIoU', 0)):
        why = 'mIoU is NaN: no pixel of the masks has a class'
    else:
        return
    warn(why)


@contextmanager
def _leaves_group() -> Iterator[None]:
    """End communication between processes at the end, whatever it is.

    Threads of gloo may abort an exiting Python. NCCL would wait for the other
    processes, which an error of this one alone does not end: it is left as it is.
    """
    ended = False
    try:
        yield
        ended = True
    finally:
        group = torch.distributed
        if group.is_initialized() and (ended or group.get_backend() == 'gloo'):
            group.destroy_process_group()


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
        if isinstance(hook, dict) and _class_of(hook) is CheckpointHook:
            hook['type'] = 'litehrnet_mm.WholeCheckpointHook'
    cfg.default_hooks = hooks
    present = [_class_of(hook) for hook in (*hooks.values(), *custom)]
    lacking = [kind.__name__ for kind in GUARDS if kind not in present]
    cfg.custom_hooks = [*custom, *(dict(type=f'litehrnet_mm.{x}') for x in lacking)]


def _class_of(hook: object) -> object:
    """The class of a hook, or of the settings of one, by whatever name."""
    if not isinstance(hook, dict):
        return type(hook)
    kind = hook.get('type')
    return HOOKS.get(kind) if isinstance(kind, str) else kind


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
