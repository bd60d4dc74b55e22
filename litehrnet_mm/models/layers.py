"""Convolution stacks and tensor moves that every part of the network shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_conv_layer, build_norm_layer
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerCfg:
    """How layers are built: the ``conv_cfg`` and ``norm_cfg`` of OpenMMLab.

    Attributes:
        conv: Configuration of every convolution; ``None`` is ``nn.Conv2d``.
        norm: Configuration of every normalisation.
    """

    conv: dict | None = None
    norm: dict = field(default_factory=lambda: dict(type='BN'))

    def conv_module(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: str | None = None,
        norm: bool = True,
    ) -> ConvModule:
        """Convolution ('same' padding), normalisation and activation.

        Without ``norm`` the convolution has a bias.
        """
        return ConvModule(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            conv_cfg=self.conv,
            norm_cfg=self.norm if norm else None,
            act_cfg=dict(type=act) if act else None,
        )

    def depthwise(self, channels: int, stride: int = 1) -> ConvModule:
        """3×3 depthwise convolution and normalisation."""
        return self.conv_module(channels, channels, 3, stride, groups=channels)

    def bare_conv(
        self, in_channels: int, out_channels: int, kernel_size: int = 1, **kwargs
    ) -> nn.Module:
        """Convolution without bias, for stacks whose keys are plain numbers."""
        return build_conv_layer(
            self.conv,
            in_channels,
            out_channels,
            kernel_size=kernel_size,
            padding=kernel_size // 2,
            bias=False,
            **kwargs,
        )

    def bare_norm(self, channels: int) -> nn.Module:
        """Normalisation, for stacks whose keys are plain numbers."""
        return build_norm_layer(self.norm, channels)[1]

    def depthwise_pointwise(
        self, in_channels: int, out_channels: int, stride: int, relu: bool
    ) -> nn.Sequential:
        """3×3 depthwise and 1×1 convolution, each with normalisation.

        The layers are numbered as in the released checkpoints: depthwise 0, its
        normalisation 1, pointwise 2, its normalisation 3, ReLU 4.
        """
        layers = [
            self.bare_conv(
                in_channels, in_channels, 3, stride=stride, groups=in_channels
            ),
            self.bare_norm(in_channels),
            self.bare_conv(in_channels, out_channels),
            self.bare_norm(out_channels),
        ]
        return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))

    def downsampling(
        self, in_channels: int, out_channels: int, steps: int, last_relu: bool
    ) -> nn.Sequential:
        """Halve the resolution ``steps`` times; the last step sets the width."""
        return nn.Sequential(
            *(
                self.depthwise_pointwise(
                    in_channels,
                    out_channels if step == steps - 1 else in_channels,
                    stride=2,
                    relu=last_relu or step < steps - 1,
                )
                for step in range(steps)
            )
        )


def channel_shuffle(first: Tensor, second: Tensor) -> Tensor:
    """Join two tensors along the channels and interleave the halves of the result.

    Of the joined channels, ``c`` of the first half goes to ``2c``, of the second half
    to ``2c + 1``, so that the next block's split sees both (ShuffleNet, Zhang et al.,
    2018, with two groups).

    Args:
        first: ``(N, C_1, H, W)``.
        second: ``(N, C_2, H, W)``, with ``C_1 + C_2`` even.

    Returns:
        ``(N, C_1 + C_2, H, W)``.
    """
    if first.shape[1] == second.shape[1]:
        return torch.stack((first, second), dim=2).flatten(1, 2)
    joined = torch.cat((first, second), dim=1)
    return joined.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def upsample_nearest_like(x: Tensor, reference: Tensor) -> Tensor:
    """Repeat the pixels of ``x`` until it is as high and wide as ``reference``."""
    return F.interpolate(x, size=reference.shape[-2:], mode='nearest')


def join_upsampled(maps: Sequence[Tensor], reference: Tensor) -> list[Tensor]:
    """Repeat the pixels of maps until they have the size of ``reference``.

    Where each map is twice as large as the next, repeating step by step is the same as
    repeating at once, and the maps are added on the way, while they are small.

    Args:
        maps: ``(N, C, H_k, W_k)``, finest first.
        reference: Tells the size.

    Returns:
        The sum of all, or if they cannot be joined each.
    """
    sizes = [tuple(x.shape[-2:]) for x in (reference, *maps)]
    if any(large != (2 * h, 2 * w) for large, (h, w) in zip(sizes, sizes[1:])):
        return [upsample_nearest_like(x, reference) for x in maps]
    total = maps[-1]
    for x in reversed(maps[:-1]):
        total = x + upsample_nearest_like(total, x)
    return [upsample_nearest_like(total, reference)]
