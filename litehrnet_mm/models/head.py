"""The iterative head that Lite-HRNet ends in for pose estimation."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.models.layers import LayerCfg


class DepthwiseSeparableConv(nn.Module):
    """3×3 depthwise and 1×1 convolution with the keys of mmcv's module of that kind."""

    def __init__(self, in_channels: int, out_channels: int, cfg: LayerCfg) -> None:
        super().__init__()
        self.depthwise_conv = cfg.depthwise(in_channels)
        self.pointwise_conv = cfg.conv_module(in_channels, out_channels, act='ReLU')

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C_in, H, W)`` to ``(N, C_out, H, W)``."""
        return self.pointwise_conv(self.depthwise_conv(x))


class IterativeHead(nn.Module):
    """Carry the low resolutions up, branch by branch, to the highest.

    Each branch is projected to the width of the next finer one, upsampled
    bilinearly (corners aligned) and added to it. The finest keeps its width.

    Args:
        channels: Channels ``C_i`` of the branches, highest resolution first.
        finest: The finest branch whose output is used; no projection above it is
            built.
        cfg: How layers are built.
    """

    def __init__(self, channels: Sequence[int], finest: int, cfg: LayerCfg) -> None:
        super().__init__()
        self.out_channels = head_channels(channels)
        self.projects = nn.ModuleList(
            DepthwiseSeparableConv(channels[i], self.out_channels[i], cfg)
            for i in range(len(channels) - 1, finest - 1, -1)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map ``(N, C_i, H/2^i, W/2^i)`` to the same sizes.

        Branch ``i > 0`` comes out with ``C_(i-1)`` channels. Branches above
        ``finest`` come back as they went in.
        """
        out = list(branches)
        coarser = None
        for i, project in zip(reversed(range(len(branches))), self.projects):
            x = branches[i]
            if coarser is not None:
                x = x + F.interpolate(
                    coarser, size=x.shape[-2:], mode='bilinear', align_corners=True
                )
            out[i] = coarser = project(x)
        return out


def head_channels(channels: Sequence[int]) -> tuple[int, ...]:
    """Channels of each branch after the iterative head."""
    return (channels[0], *channels[:-1])
