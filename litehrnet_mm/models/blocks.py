"""The building blocks of Lite-HRNet, in the words of the paper.

Source: Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network", CVPR 2021,
section 3 (arXiv 2104.06403). The names of submodules are those of the released
checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from litehrnet_mm.models.arch import StemSpec
from litehrnet_mm.models.layers import (
    LayerCfg,
    channel_shuffle,
    upsample_nearest_like,
)


def run_block(with_cp: bool, block, x):
    """Run ``block(x)``; with ``with_cp`` its activations are recomputed in backward.

    ``x`` is a tensor or a list of tensors. As everywhere in PyTorch, recomputing
    updates BatchNorm's running statistics a second time.
    """
    if with_cp and torch.is_grad_enabled():
        return checkpoint(block, x, use_reentrant=False)
    return block(x)


def squeezed(channels: int, ratio: int) -> int:
    """Width of a squeeze layer; never none, however narrow the net."""
    return max(1, channels // ratio)


class SpatialWeighting(nn.Module):
    """Spatial weighting F: one gate for each channel, from its global average.

    Args:
        channels: Channels C of the input.
        ratio: Squeeze of the hidden layer.
        cfg: How layers are built.
    """

    def __init__(self, channels: int, ratio: int, cfg: LayerCfg) -> None:
        super().__init__()
        hidden = squeezed(channels, ratio)
        self.conv1 = cfg.conv_module(channels, hidden, act='ReLU', norm=False)
        self.conv2 = cfg.conv_module(hidden, channels, act='Sigmoid', norm=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weight ``x`` of shape ``(N, C, H, W)``; the shape stays."""
        return x * self.conv2(self.conv1(F.adaptive_avg_pool2d(x, 1)))


class CrossResolutionWeighting(nn.Module):
    """Cross-resolution weighting H: gates computed from all branches together.

    All branches are averaged down to the lowest resolution, joined, and turned into
    one gate map a channel, which each branch takes back at its own resolution.

    Args:
        channels: Channels ``C_i`` of the branches, highest resolution first.
        ratio: Squeeze of the hidden layer.
        cfg: How layers are built.
    """

    def __init__(self, channels: Sequence[int], ratio: int, cfg: LayerCfg) -> None:
        super().__init__()
        self.channels = list(channels)
        total = sum(channels)
        hidden = squeezed(total, ratio)
        self.conv1 = cfg.conv_module(total, hidden, act='ReLU')
        self.conv2 = cfg.conv_module(hidden, total, act='Sigmoid')

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Weight tensors ``(N, C_i, H/2^i, W/2^i)``; the shapes stay."""
        gates = self.conv2(self.conv1(torch.cat(self._pool(branches), dim=1)))
        return [
            x * upsample_nearest_like(gate, x)
            for x, gate in zip(branches, gates.split(self.channels, dim=1))
        ]

    @staticmethod
    def _pool(branches: list[Tensor]) -> list[Tensor]:
        # The kernel follows from the branch's place, not from a tensor's size, so
        # that it is a constant in every exported graph. With ceil_mode it meets the
        # size that strided convolutions give, and a window cut off by the border
        # averages the pixels it has: ONNX Runtime before 1.29 divides by all that it
        # could have, unless padding, of which there is none, is not counted.
        last = len(branches) - 1
        pool = partial(F.avg_pool2d, ceil_mode=True, count_include_pad=False)
        return [
            pool(x, 2 ** (last - i)) if i < last else x for i, x in enumerate(branches)
        ]


class ConditionalChannelWeighting(nn.Module):
    """Conditional channel weighting: the block that replaces 1×1 convolutions.

    Half of each branch's channels passes; the other half is weighted by H, filtered
    depthwise, and weighted by F. A shuffle mixes the halves.

    Args:
        channels: Channels ``C_i`` of the branches, highest resolution first; even.
        reduce_ratio: Squeeze of the cross-resolution weighting.
        cfg: How layers are built.
        out_branches: Branches whose output is used. The others come back as they
            went in, and have no parameters of their own. ``None`` means all.
        with_cp: Recompute activations in the backward pass.
    """

    spatial_ratio = 4

    def __init__(
        self,
        channels: Sequence[int],
        reduce_ratio: int,
        cfg: LayerCfg,
        out_branches: Sequence[int] | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        halves = [width // 2 for width in channels]
        used = range(len(halves)) if out_branches is None else out_branches
        self.out_branches = tuple(used)
        self.with_cp = with_cp
        self.cross_resolution_weighting = CrossResolutionWeighting(
            halves, reduce_ratio, cfg
        )
        self.depthwise_convs = nn.ModuleList(
            cfg.depthwise(half) if i in self.out_branches else nn.Identity()
            for i, half in enumerate(halves)
        )
        self.spatial_weighting = nn.ModuleList(
            SpatialWeighting(half, self.spatial_ratio, cfg)
            if i in self.out_branches
            else nn.Identity()
            for i, half in enumerate(halves)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map tensors ``(N, C_i, H/2^i, W/2^i)`` to tensors of the same shapes."""
        return run_block(self.with_cp, self._forward, branches)

    def _forward(self, branches: list[Tensor]) -> list[Tensor]:
        halves = [x.chunk(2, dim=1) for x in branches]
        weighted = self.cross_resolution_weighting([half for _, half in halves])
        out = list(branches)
        for i in self.out_branches:
            x = self.spatial_weighting[i](self.depthwise_convs[i](weighted[i]))
            out[i] = channel_shuffle(halves[i][0], x)
        return out


class ShuffleUnit(nn.Module):
    """Shuffle block of ShuffleNetV2 (stride 1), the block of the naive nets.

    Args:
        channels: Channels C of input and output; even.
        cfg: How layers are built.
        with_cp: Recompute activations in the backward pass.
    """

    def __init__(self, channels: int, cfg: LayerCfg, with_cp: bool = False) -> None:
        super().__init__()
        half = channels // 2
        self.with_cp = with_cp
        self.branch2 = nn.Sequential(
            cfg.conv_module(half, half, act='ReLU'),
            cfg.depthwise(half),
            cfg.conv_module(half, half, act='ReLU'),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        return run_block(self.with_cp, self._forward, x)

    def _forward(self, x: Tensor) -> Tensor:
        passed, convolved = x.chunk(2, dim=1)
        return channel_shuffle(passed, self.branch2(convolved))


class Stem(nn.Module):
    """A strided convolution and a strided shuffle block: to a quarter of the size.

    Args:
        in_channels: Channels of the network's input.
        spec: Widths.
        cfg: How layers are built.
        with_cp: Recompute activations in the backward pass.
    """

    def __init__(
        self, in_channels: int, spec: StemSpec, cfg: LayerCfg, with_cp: bool = False
    ) -> None:
        super().__init__()
        half = spec.stem_channels // 2
        self.with_cp = with_cp
        self.conv1 = cfg.conv_module(
            in_channels, spec.stem_channels, 3, stride=2, act='ReLU'
        )
        self.branch1 = nn.Sequential(
            cfg.depthwise(half, stride=2),
            cfg.conv_module(half, spec.out_channels - spec.linear_channels, act='ReLU'),
        )
        self.expand_conv = cfg.conv_module(half, spec.mid_channels, act='ReLU')
        self.depthwise_conv = cfg.depthwise(spec.mid_channels, stride=2)
        self.linear_conv = cfg.conv_module(
            spec.mid_channels, spec.linear_channels, act='ReLU'
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C_in, H, W)`` to ``(N, C_out, ⌈H/4⌉, ⌈W/4⌉)``."""
        return run_block(self.with_cp, self._forward, x)

    def _forward(self, x: Tensor) -> Tensor:
        x1, x2 = self.conv1(x).chunk(2, dim=1)
        x2 = self.linear_conv(self.depthwise_conv(self.expand_conv(x2)))
        return channel_shuffle(self.branch1(x1), x2)
