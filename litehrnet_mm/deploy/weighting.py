"""Blocks of conditional channel weighting without splits, joins or shuffles.

Each block works on all channels of a branch. The half that should pass is weighted by
gates of one and filtered with a kernel that leaves it as it is; which half that is
follows from the layout, so no shuffle moves data.

The spatial weighting F multiplies each channel with one number. That product commutes
with pooling and with the next gates, so it waits: the next block multiplies its coarse
gates with it, and the full resolution is multiplied once a block instead of twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.deploy.folding import Folded, fold_module
from litehrnet_mm.deploy.layers import Convolution, FanOut, Form
from litehrnet_mm.deploy.layout import PADDING, Layout
from litehrnet_mm.models.blocks import ConditionalChannelWeighting

OPEN = 32.0
"""Where a sigmoid is exactly 1, in all floating-point formats of 32 bits and less."""


Waiting = Union[Tensor, list[Tensor]]
"""Gates ``(N, C, 1, 1)`` of all branches joined; in graphs, those of each."""


class WeightingChain(nn.Module):
    """The blocks of one high-resolution module.

    Args:
        blocks: The original blocks.
        layouts: Of each branch as it comes in.
        form: How the network is written down.
        doubled: Whether branch 0 should come out times 2.

    Attributes:
        layouts: Of each branch as it goes out.
    """

    def __init__(
        self,
        blocks: Sequence[ConditionalChannelWeighting],
        layouts: Sequence[Layout],
        form: Form,
        doubled: bool,
    ) -> None:
        super().__init__()
        self.form = form
        self.blocks = nn.ModuleList()
        self.layouts = list(layouts)
        for block in blocks:
            factors = [1.0] * len(layouts)
            if doubled and block is blocks[-1]:
                factors[0] = 2.0
            self.blocks.append(FullWidthWeighting(block, self.layouts, factors, form))
            for i in block.out_branches:
                self.layouts[i] = self.layouts[i].shuffled()

    def forward(self, xs: list[Tensor]) -> tuple[list[Tensor], list[Tensor | None]]:
        """Map branches to branches and the factors ``(N, C_i, 1, 1)`` they wait for.

        Branches that the last block leaves out come back useless.
        """
        waiting = None
        coarse = self._pool(xs)
        # Without cut-off windows the pooled maps have the means of the branches.
        whole = all(self.form.is_multiple(x, xs[-1]) for x in xs)
        last = self.blocks[-1]
        for block in self.blocks:
            xs = block(xs, coarse, waiting)
            if block is last:
                break
            coarse = self._pool(xs)
            waiting = block.spatial([coarse] if whole else xs)
        scales = last.spatial([xs[i] for i in last.out_branches])
        found: list[Tensor | None] = [None] * len(xs)
        for i, scale in zip(last.out_branches, last.spatial.divide(scales)):
            found[i] = scale
        return xs, found

    def _pool(self, xs: list[Tensor]) -> Tensor:
        """All branches at the coarsest resolution, joined."""
        last = len(xs) - 1
        pooled = [self.form.pool(x, 2 ** (last - i)) for i, x in enumerate(xs)]
        return torch.cat(pooled, dim=1)


class FullWidthWeighting(nn.Module):
    """One block, on all channels.

    Args:
        block: The original.
        layouts: Of each branch.
        factors: What each branch should be multiplied with.
        form: How the network is written down.
    """

    def __init__(
        self,
        block: ConditionalChannelWeighting,
        layouts: Sequence[Layout],
        factors: Sequence[float],
        form: Form,
    ) -> None:
        super().__init__()
        halves = [layout.second_half() for layout in layouts]
        self.form = form
        self.out_branches = block.out_branches
        self.cross = CrossWeighting(block, halves, form)
        self.spatial = SpatialWeighting(_spatial_parts(block, halves, factors), form)
        self.depthwise = nn.ModuleDict(
            {
                str(i): Convolution(
                    _full_width(block.depthwise_convs[i], halves[i], factors[i]), form
                )
                for i in self.out_branches
            }
        )

    def forward(
        self, xs: list[Tensor], coarse: Tensor, waiting: Waiting | None
    ) -> list[Tensor]:
        """Weight with H and filter; the weighting with F is left to the caller.

        Args:
            xs: Branches, before their spatial weighting.
            coarse: The same at the coarsest resolution, joined.
            waiting: That weighting, as ``spatial`` of the block before returned it.
        """
        out = list(xs)
        gates = self.cross(coarse, waiting)
        for i in self.out_branches:
            out[i] = self.depthwise[str(i)](self.form.multiply_up(xs[i], gates[i]))
        return out


class CrossWeighting(nn.Module):
    """Cross-resolution weighting: the gates of all branches from all branches joined.

    Args:
        block: The original block.
        halves: For each branch the places of the half that is weighted.
        form: How the network is written down.
    """

    def __init__(
        self, block: ConditionalChannelWeighting, halves: list[Layout], form: Form
    ) -> None:
        super().__init__()
        self.form = form
        layout = halves[0].joined(*halves[1:])
        cross = block.cross_resolution_weighting
        conv1, conv2 = fold_module(cross.conv1), fold_module(cross.conv2)
        hidden = Layout.plain(len(conv1.bias), form.channel_block)
        narrow = conv1.read(layout).write(hidden)
        self.conv1 = Convolution(narrow, form, 'relu')
        gates = _gate_rows(conv2.read(hidden), layout)
        self.conv2 = FanOut(gates, [half.width for half in halves], form, 'sigmoid')

    def forward(self, coarse: Tensor, waiting: Waiting | None) -> Sequence[Tensor]:
        """Gates at the coarsest resolution, times what the branches wait for.

        Args:
            coarse: The branches at that resolution, joined.
            waiting: As :class:`SpatialWeighting` returned it.
        """
        if waiting is None:
            return self.conv2(self.conv1(coarse))
        if isinstance(waiting, Tensor):
            gates = self.conv2.joined(self.conv1(coarse * waiting))
            return self.conv2.divide(gates * waiting)
        scales = [self.form.repeat(x, coarse) for x in waiting]  # for two products
        gates = self.conv2(self.conv1(coarse * torch.cat(scales, dim=1)))
        return [gate * scale for gate, scale in zip(gates, scales)]


class SpatialWeighting(nn.Module):
    """Spatial weighting of all branches at once, with weights between none of them.

    Args:
        parts: Squeeze and excitation of each branch.
        form: How the network is written down.
    """

    def __init__(self, parts: list[tuple[Folded, Folded]], form: Form) -> None:
        super().__init__()
        squeeze = _block_diagonal([x for x, _ in parts])
        excite = _block_diagonal([x for _, x in parts])
        hidden = Layout.plain(len(squeeze.bias), form.channel_block)
        widths = [len(x.bias) for _, x in parts]
        self.squeeze = Convolution(squeeze.write(hidden), form, 'relu')
        self.excite = FanOut(excite.read(hidden), widths, form, 'sigmoid')

    def forward(self, xs: list[Tensor]) -> Waiting:
        """One gate for each channel.

        Args:
            xs: The branches, or all joined in one tensor.
        """
        means = [F.adaptive_avg_pool2d(x, 1) for x in xs]
        joined = torch.cat(means, dim=1) if len(means) > 1 else means[0]
        return self.excite.joined(self.squeeze(joined))

    def divide(self, gates: Waiting) -> Sequence[Tensor]:
        """The gates of each branch, ``(N, C_i, 1, 1)``."""
        return self.excite.divide(gates)


def _spatial_parts(
    block: ConditionalChannelWeighting,
    halves: Sequence[Layout],
    factors: Sequence[float],
) -> list[tuple[Folded, Folded]]:
    """Squeeze and excitation of each branch that is used, on all its channels.

    What they average is times a factor, which the squeezing takes back.
    """
    parts = []
    for i in block.out_branches:
        weighting, half = block.spatial_weighting[i], halves[i]
        squeeze = fold_module(weighting.conv1).read(half)
        squeeze = Folded(squeeze.weight / factors[i], squeeze.bias)
        parts.append((squeeze, _gate_rows(fold_module(weighting.conv2), half)))
    return parts


def _gate_rows(folded: Folded, layout: Layout) -> Folded:
    """Write gates of a layout; what it pads stays open."""
    return Folded(
        layout.arrange(folded.weight, 0), layout.arrange(folded.bias, 0, OPEN)
    )


def _full_width(depthwise: nn.Module, half: Layout, factor: float) -> Folded:
    """A depthwise convolution of one half; the other passes. Both times a factor."""
    folded = fold_module(depthwise)
    weight = half.arrange(folded.weight, 0)
    passing = torch.tensor(half.order, device=weight.device) == PADDING
    weight[passing, :, 1, 1] = 1
    full = Folded(weight, half.arrange(folded.bias, 0), depthwise=True)
    return full.scaled(factor)


def _block_diagonal(parts: list[Folded]) -> Folded:
    weight = torch.block_diag(*(part.weight.flatten(1) for part in parts))
    bias = torch.cat([part.bias for part in parts])
    return Folded(weight[:, :, None, None], bias)
