"""Whether the entries of a checkpoint are those of a model, and what is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import is_main_process
from torch import Tensor, nn

from litehrnet_mm.checkpoints.keys import current_keys
from litehrnet_mm.checkpoints.ncnn import PathLike
from litehrnet_mm.cli import UserError
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.values import shown

COUNTER = 'num_batches_tracked'  # of BatchNorm; PyTorch before 0.4.1 had none
LISTED = 20


@dataclass(frozen=True)
class Differences:
    """How the entries of a checkpoint differ from those of a model.

    BatchNorm's counters of batches are left aside: no output depends on them.

    Attributes:
        wanted: Number of entries that the model has.
        missing: Keys that the model has and the checkpoint lacks.
        unexpected: Keys that the model has no place for.
        differing: By key, what an entry of another shape or type is.
    """

    wanted: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    differing: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.differing)

    @property
    def fitting(self) -> int:
        """Number of the model's entries that the checkpoint can fill."""
        return self.wanted - len(self.missing) - len(self.differing)

    @property
    def size(self) -> int:
        """Number of entries that differ in any way."""
        return len(self.missing) + len(self.unexpected) + len(self.differing)

    def summary(self) -> str:
        """One line: how many entries differ in which way, with an example."""
        parts = []
        if self.missing:
            parts.append(f'{len(self.missing)} of {self.wanted} entries are missing')
        if self.unexpected:
            parts.append(f'{len(self.unexpected)} are unexpected')
        if self.differing:
            parts.append(f'{len(self.differing)} have another shape')
        examples = [*self._differing_lines(), *self.missing, *self.unexpected]
        return f'{", ".join(parts)}, e.g. {shown(examples[0], 200)}'

    def listing(self, list_all: bool = False) -> str:
        """Each difference on a line, under headings; 20 under each if not all."""
        groups = (
            ('missing from the checkpoint', self.missing),
            ('unexpected in the checkpoint', self.unexpected),
            ('of another shape', self._differing_lines()),
        )
        lines = []
        for heading, entries in groups:
            listed = entries if list_all else entries[:LISTED]
            lines += [f'{heading} ({len(entries)}):'] if entries else []
            lines += [f'  {shown(entry, 200)}' for entry in listed]
            if len(listed) < len(entries):
                lines.append(f'  and {len(entries) - len(listed)} more (--list-all)')
        return '\n'.join(lines)

    def _differing_lines(self) -> list[str]:
        return [f'{key} {what}' for key, what in self.differing.items()]


def compare(
    weights: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    optional: Collection[str] = (),
) -> Differences:
    """Compare the entries of a checkpoint with those of a model.

    Args:
        weights: Of the checkpoint, under current names.
        wanted: The model's state dict.
        optional: Keys that the checkpoint may hold though the model has no place for
            them.
    """
    known = {key for key in wanted if not key.endswith(COUNTER)}
    return Differences(
        wanted=len(known),
        missing=tuple(key for key in wanted if key in known and key not in weights),
        unexpected=tuple(
            key
            for key in weights
            if key not in wanted and key not in optional and not key.endswith(COUNTER)
        ),
        differing={
            key: f'{_describe(weights[key])} instead of {_describe(value)}'
            for key, value in wanted.items()
            if key in known and key in weights and not _alike(weights[key], value)
        },
    )


def _alike(found: Tensor, wanted: Tensor) -> bool:
    same_kind = found.is_floating_point() == wanted.is_floating_point()
    return found.shape == wanted.shape and same_kind


def _describe(value: Tensor) -> str:
    kind = '' if value.is_floating_point() else f' {str(value.dtype)[6:]}'
    return f'{tuple(value.shape)}{kind}'


def fitting_entries(
    weights: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    differences: Differences,
) -> dict[str, Tensor]:
    """The entries of a checkpoint that fit a model, in its order and types.

    Args:
        weights: Of the checkpoint.
        wanted: The model's state dict, perhaps on the meta device.
        differences: Between the two.

    Returns:
        The model's state dict with the checkpoint's values, without what is missing
        or differs. A missing counter of batches is 0.
    """
    left_out = {*differences.missing, *differences.differing}
    found = {}
    for key, value in wanted.items():
        if not key.endswith(COUNTER):
            if key not in left_out:
                found[key] = weights[key].to(value.dtype).contiguous()
        elif key.replace(COUNTER, 'running_mean') not in left_out:
            counter = weights.get(key)
            usable = counter is not None and _alike(counter, value)
            found[key] = counter if usable else torch.zeros_like(value, device='cpu')
    return found


def optional_keys(model: nn.Module) -> frozenset[str]:
    """Keys of a full Lite-HRNet that the one in ``model`` has no use for by design."""
    return frozenset(
        f'{name}.{key}' if name else key
        for name, module in model.named_modules()
        if isinstance(module, LiteHRNet)
        for key in module.full_net_keys
    )


def check_fits(
    path: PathLike,
    checkpoint: Mapping[str, Any],
    model: nn.Module,
    partly: bool = False,
    list_all: bool = False,
    hint: Callable[[Mapping[str, Tensor]], str] | None = None,
    listing: bool = True,
) -> None:
    """Check that the entries of a checkpoint are those of a model.

    What a ``LiteHRNet`` with fewer ``out_indices`` or without head leaves out by
    design is no difference.

    Args:
        path: The checkpoint's file, for messages.
        checkpoint: What :func:`~litehrnet_mm.checkpoints.files.read_checkpoint`
            returned for it.
        model: The model it will be loaded into.
        partly: See :func:`report`, as for the others.
        list_all: The same.
        hint: Finds the way out for the message, from the checkpoint's entries under
            current names. Called only if there are differences.
        listing: List differences, not only count them.

    Raises:
        UserError: If there are differences, or with ``partly`` if nothing fits.
    """
    weights = current_keys(checkpoint['state_dict'], path)
    differences = compare(weights, model.state_dict(), optional_keys(model))
    way_out = hint(weights) if hint and differences else ''
    report(path, differences, 'the config', partly, list_all, way_out, listing)


def report(
    path: PathLike,
    differences: Differences,
    name: str,
    partly: bool = False,
    list_all: bool = False,
    hint: str = '',
    listing: bool = True,
) -> None:
    """List differences on standard error, and refuse them unless told otherwise.

    Args:
        path: The checkpoint's file.
        differences: What was found.
        name: What to call the model.
        partly: Be content if any entry fits.
        list_all: List every difference, not the first 20 of each kind.
        hint: The way out, for the message.
        listing: List differences, not only count them.

    Raises:
        UserError: If there are differences, or with ``partly`` if nothing fits.
    """
    if not differences:
        return
    if listing and is_main_process():
        print(differences.listing(list_all), file=sys.stderr)
    if not partly or not differences.fitting:
        end = f'; {hint}' if hint and differences.fitting else ''
        raise UserError(
            f'checkpoint {path} does not fit {name}: {differences.summary()}{end}'
        )
    if is_main_process():
        print(
            f'{path}: {differences.fitting} of the {differences.wanted} entries of '
            'the model are taken from it, the others stay as they are',
            file=sys.stderr,
        )
