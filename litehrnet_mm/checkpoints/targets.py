"""What a converted checkpoint has to hold: the state dict of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from litehrnet_mm.checkpoints.compare import Differences, compare, optional_keys
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.arch import ARCHS

FINAL_LAYER = 'head.final_layer'


@dataclass(frozen=True)
class Target:
    """A model that a checkpoint is made for.

    Attributes:
        name: What messages call it.
        entries: Its state dict; only shapes and types count.
        optional: Keys that it has no use for by design.
        arch: Its name in :data:`~litehrnet_mm.models.arch.ARCHS`, if it was built
            from there.
    """

    name: str
    entries: Mapping[str, Tensor]
    optional: frozenset[str] = frozenset()
    arch: str | None = None

    def differences(self, weights: Mapping[str, Tensor]) -> Differences:
        """Compare the entries of a checkpoint with this model's."""
        return compare(weights, self.entries, self.optional)


def config_target(path: str) -> Target:
    """The model of a config. Nothing is initialised, so nothing is downloaded.

    Raises:
        UserError: If the config cannot be read or its model cannot be built.
    """
    model = build_model(load_config(path, {}), path)
    return Target(path, model.state_dict(), optional_keys(model))


def arch_target(arch: str, weights: Mapping[str, Tensor]) -> Target:
    """A Lite-HRNet with a 1×1 pose head of as many keypoints as the weights have.

    Args:
        arch: A name in :data:`~litehrnet_mm.models.arch.ARCHS`.
        weights: Of the checkpoint, under current names.
    """
    head = weights.get(f'{FINAL_LAYER}.weight')
    keypoints = len(head) if head is not None and head.dim() == 4 else 0
    keypoints = keypoints or 17  # for the message that they are missing
    backbone, width = _backbone(arch)
    with torch.device('meta'):
        final_layer = nn.Conv2d(width, keypoints, 1)
    entries = {
        **{f'backbone.{key}': value for key, value in backbone.items()},
        **{f'{FINAL_LAYER}.{key}': v for key, v in final_layer.state_dict().items()},
    }
    return Target(f'{arch} with a head of {keypoints} keypoints', entries, arch=arch)


@cache
def _backbone(arch: str) -> tuple[Mapping[str, Tensor], int]:
    """State dict, without numbers, and width of a Lite-HRNet."""
    with torch.device('meta'):
        net = LiteHRNet(arch)
    return net.state_dict(), net.out_channels[0]


def recognise(weights: Mapping[str, Tensor]) -> Target:
    """The Lite-HRNet whose entries are nearest to those of a checkpoint."""
    targets = [arch_target(arch, weights) for arch in ARCHS]
    nearest = min(targets, key=lambda target: target.differences(weights).size)
    if not nearest.differences(weights):
        return nearest
    return replace(nearest, name=f'{nearest.name}, the nearest of the four nets')


def name_of(weights: Mapping[str, Tensor]) -> str:
    """What a checkpoint is of, to say where it does not fit; nothing if unknown."""
    target = recognise(weights)
    return '' if target.differences(weights) else f'it is one of {target.name}'
