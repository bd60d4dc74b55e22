"""Foreign checkpoints, of each source, as checkpoints of this project and MMPose."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable

from torch import Tensor

from litehrnet_mm.checkpoints import paddle, pp_tinypose
from litehrnet_mm.checkpoints.compare import Differences, fitting_entries
from litehrnet_mm.checkpoints.files import (
    CONVERTED_AS,
    check_finite,
    check_is_file,
    file_kind,
    read_checkpoint,
)
from litehrnet_mm.checkpoints.keys import current_keys, has_old_head
from litehrnet_mm.checkpoints.targets import Target
from litehrnet_mm.cli import UserError

LITE_HRNET = 'backbone.stem.expand_conv.conv.weight'  # in each one, in no other net
PARTNERS = {'.param': '.bin', '.bin': '.param'}
ORIGINS = {
    'official': 'PyTorch checkpoint of the official repository or MMPose 0.x',
    'mmpose': 'PyTorch checkpoint of MMPose',
}


@dataclass(frozen=True)
class Foreign:
    """What was read from a foreign checkpoint.

    Attributes:
        source: What it was read as, a name in :data:`SOURCES`.
        weights: Its entries under current names.
        files: The files they came from.
        meta: What the converted checkpoint is to say about its origin.
        dropped: What the file holds beside weights.
    """

    source: str
    weights: Mapping[str, Tensor]
    files: tuple[Path, ...]
    meta: Mapping[str, Any]
    dropped: tuple[str, ...] = ()


def read_foreign(source: str, path: Path) -> Foreign:
    """Read a foreign checkpoint.

    Args:
        source: A name in :data:`SOURCES`, or ``'auto'`` to go by the content.
        path: The file; of ncnn's two files either one.

    Raises:
        UserError: If a file is missing, damaged, or not of that source.
    """
    if source != 'auto':
        return SOURCES[source].read(path)
    kind = file_kind(path)
    if kind in CONVERTED_AS:
        return SOURCES[CONVERTED_AS[kind]].read(path)
    return _read_pytorch(path)


def _read_pytorch(path: Path) -> Foreign:
    checkpoint = read_checkpoint(path)
    weights = current_keys(checkpoint['state_dict'], path)
    is_old = has_old_head(checkpoint['state_dict']) and LITE_HRNET in weights
    source = 'official' if is_old else 'mmpose'
    dropped = tuple(sorted(map(str, checkpoint.keys() - {'state_dict', 'meta'})))
    return Foreign(source, weights, (path,), dict(source=ORIGINS[source]), dropped)


def _read_official(path: Path) -> Foreign:
    foreign = _read_pytorch(path)
    if foreign.source != 'official':
        raise UserError(
            f'{path}: not of the official repository: no Lite-HRNet with a '
            'keypoint_head; try mmpose in place of official'
        )
    return foreign


def _read_mmpose(path: Path) -> Foreign:
    # MMPose 0.x wrote a Lite-HRNet as the official repository does.
    return replace(_read_pytorch(path), source='mmpose')


def _read_ncnn(path: Path) -> Foreign:
    if path.suffix not in PARTNERS:
        raise UserError(
            f'{path}: expected one of the two ncnn files, FILE.param or FILE.bin'
        )
    partner = path.with_suffix(PARTNERS[path.suffix])
    for file in (path, partner):
        if not os.path.exists(file):
            raise UserError(
                f'{file}: not found; ncnn weights are two files of one name side by '
                f'side, {path.stem}.param and {path.stem}.bin'
            )
        check_is_file(file)
    files = tuple(path.with_suffix(suffix) for suffix in PARTNERS)
    weights = pp_tinypose.convert_pp_tinypose(*files)
    return Foreign('pp-tinypose', weights, files, pp_tinypose.META)


def _read_paddle(path: Path) -> Foreign:
    check_is_file(path)
    return Foreign('paddle', paddle.read_paddle(path), (path,), paddle.META)


@dataclass(frozen=True)
class Source:
    """One kind of foreign checkpoint.

    Attributes:
        help: What it is, for ``--help``.
        read: Its reader.
    """

    help: str
    read: Callable[[Path], Foreign]


SOURCES = {
    'official': Source('official Lite-HRNet repository, mmcv 1.x', _read_official),
    'mmpose': Source('MMPose 0.x or 1.x, training checkpoints too', _read_mmpose),
    'pp-tinypose': Source(
        "PP-TinyPose in ncnn's two files; give either, the other lies beside it",
        _read_ncnn,
    ),
    'paddle': Source("PaddleDetection's .pdparams of PP-TinyPose", _read_paddle),
}


def converted(
    foreign: Foreign, target: Target, differences: Differences
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Make the two parts of a checkpoint: state dict and meta.

    Args:
        foreign: What was read.
        target: The model that the checkpoint is for.
        differences: Between the two; what differs is left out, and named in the meta.

    Raises:
        UserError: If an entry holds numbers that are not finite.
    """
    state_dict = fitting_entries(foreign.weights, target.entries, differences)
    check_finite(foreign.files[0], state_dict)
    meta: dict[str, Any] = dict(foreign.meta, model=target.name)
    if target.arch:
        meta['arch'] = target.arch
    if differences:
        meta['left_out'] = dict(
            missing=list(differences.missing),
            unexpected=list(differences.unexpected),
            differing=dict(differences.differing),
        )
    meta['source_sha256'] = {file.name: _sha256(file) for file in foreign.files}
    return state_dict, meta


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
