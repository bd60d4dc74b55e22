"""Shuffle blocks without splits, joins or shuffles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from litehrnet_mm.deploy.folding import fold_module
from litehrnet_mm.deploy.layers import Convolution, Form
from litehrnet_mm.deploy.layout import PADDING, Layout
from litehrnet_mm.models.blocks import ShuffleUnit


class FullWidthShuffleUnit(nn.Module):
    """One shuffle block, on all channels.

    The first 1×1 convolution does not read the half that passes, and the last writes
    zeros there, to which that half is added.

    Args:
        unit: The original.
        layout: Of the branch.
        form: How the network is written down.
        factor: What the output should be multiplied with; positive.
    """

    def __init__(
        self, unit: ShuffleUnit, layout: Layout, form: Form, factor: float = 1
    ) -> None:
        super().__init__()
        half = layout.second_half()
        first, depthwise, last = (fold_module(x) for x in unit.branch2)
        inner = Layout.plain(half.channels, form.channel_block)
        self.layers = nn.Sequential(
            Convolution(first.read(half).write(inner), form, 'relu'),
            Convolution(depthwise.write(inner), form),
            Convolution(last.read(inner).write(half).scaled(factor), form, 'relu'),
        )
        passing = torch.tensor(half.order, device=first.weight.device) == PADDING
        mask = factor * passing.to(first.weight.dtype).view(1, -1, 1, 1)
        self.register_buffer('mask', mask)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        return torch.addcmul(self.layers(x), x, self.mask)
