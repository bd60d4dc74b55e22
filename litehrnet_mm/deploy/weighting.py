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
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.deploy.folding import Folded, fold_module
from litehrnet_mm.deploy.layers import Convolution, Form, as_pixels, from_pixels
from litehrnet_mm.deploy.layout import PADDING, Layout
from litehrnet_mm.models.blocks import ConditionalChannelWeighting

OPEN = 32.0
"""Where a sigmoid is exactly 1, in all floating-point formats of 32 bits and less."""


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
        pooled = self._pool(xs)
        coarse = self.blocks[0].cross.gather(pooled)
        last = self.blocks[-1]
        for block in self.blocks:
            xs = block(xs, coarse, waiting)
            if block is last:
                break
            # Without cut-off windows the pooled maps have the means of the branches.
            whole = all(map(self.form.is_multiple, xs, pooled))
            pooled = self._pool(xs)
            coarse = block.cross.gather(pooled)
            waiting = block.spatial(coarse if whole else xs)
        scales = last.spatial([xs[i] for i in last.out_branches])
        found: list[Tensor | None] = [None] * len(xs)
        for i, scale in zip(last.out_branches, last.spatial.divide(scales)):
            found[i] = scale
        return xs, found

    def _pool(self, xs: list[Tensor]) -> list[Tensor]:
        last = len(xs) - 1
        return [self.form.pool(x, 2 ** (last - i)) for i, x in enumerate(xs)]


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
        cross = CrossBranchwise if form.graph else CrossJoint
        spatial = SpatialBranchwise if form.graph else SpatialJoint
        self.cross = cross(block, halves, form)
        self.spatial = spatial(_spatial_parts(block, halves, factors), form)
        self.depthwise = nn.ModuleDict(
            {
                str(i): Convolution(
                    _full_width(block.depthwise_convs[i], halves[i], factors[i]), form
                )
                for i in self.out_branches
            }
        )

    def forward(
        self, xs: list[Tensor], coarse: list[Tensor], waiting: Any
    ) -> list[Tensor]:
        """Weight with H and filter; the weighting with F is left to the caller.

        Args:
            xs: Branches, before their spatial weighting.
            coarse: The same at the coarsest resolution, as ``cross`` gathered them.
            waiting: That weighting, as ``spatial`` of the block before returned it.
        """
        out = list(xs)
        gates = self.cross(coarse, waiting)
        for i in self.out_branches:
            out[i] = self.depthwise[str(i)](self.form.multiply_up(xs[i], gates[i]))
        return out


class CrossJoint(nn.Module):
    """Cross-resolution weighting of all branches joined: few, large operators."""

    def __init__(
        self, block: ConditionalChannelWeighting, halves: list[Layout], form: Form
    ) -> None:
        super().__init__()
        self.widths = [half.width for half in halves]
        layout = halves[0].joined(*halves[1:])
        cross = block.cross_resolution_weighting
        conv1, conv2 = fold_module(cross.conv1), fold_module(cross.conv2)
        self.conv1 = Convolution(conv1.read(layout), form, 'relu')
        self.conv2 = Convolution(_gate_rows(conv2, layout), form, 'sigmoid')

    @staticmethod
    def gather(pooled: list[Tensor]) -> list[Tensor]:
        """The branches joined."""
        return [torch.cat(pooled, dim=1)]

    def forward(
        self, coarse: list[Tensor], waiting: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Gates at the coarsest resolution, times what the branches wait for."""
        (x,) = coarse
        if waiting is not None:
            x = x * waiting
        gates = self.conv2.on_pixels(self.conv1.on_pixels(as_pixels(x)))
        gates = from_pixels(gates, x)
        if waiting is not None:
            gates = gates * waiting
        return gates.split(self.widths, dim=1)


class CrossBranchwise(nn.Module):
    """Cross-resolution weighting, each branch for itself: no joins, no splits.

    The convolution of the joined branches is the sum of one for each; that of the
    gates is one for each.
    """

    def __init__(
        self, block: ConditionalChannelWeighting, halves: list[Layout], form: Form
    ) -> None:
        super().__init__()
        cross = block.cross_resolution_weighting
        conv1, conv2 = fold_module(cross.conv1), fold_module(cross.conv2)
        hidden = Layout.plain(len(conv1.bias), form.channel_block)
        self.form = form
        counts = [half.channels for half in halves]
        self.conv1, self.conv2 = nn.ModuleList(), nn.ModuleList()
        columns = conv1.weight.split(counts, dim=1)
        rows = zip(conv2.weight.split(counts), conv2.bias.split(counts))
        for i, (half, weight, (out, bias)) in enumerate(zip(halves, columns, rows)):
            weight = hidden.arrange(half.arrange(weight, 1), 0)
            shift = hidden.arrange(conv1.bias, 0) if i == 0 else None
            self.conv1.append(Convolution(Folded(weight, shift), form))
            gates = _gate_rows(Folded(hidden.arrange(out, 1), bias), half)
            self.conv2.append(Convolution(gates, form, 'sigmoid'))

    @staticmethod
    def gather(pooled: list[Tensor]) -> list[Tensor]:
        """The branches as they are."""
        return pooled

    def forward(
        self, coarse: list[Tensor], waiting: list[Tensor] | None
    ) -> list[Tensor]:
        """Gates at the coarsest resolution, times what the branches wait for."""
        scales: list[Tensor | None] = [None] * len(coarse)
        if waiting is not None:  # repeated once, for two products
            scales = [self.form.repeat(w, x) for w, x in zip(waiting, coarse)]
            coarse = [x * scale for x, scale in zip(coarse, scales)]
        hidden = self.conv1[0](coarse[0])
        for conv, x in zip(self.conv1[1:], coarse[1:]):
            hidden = hidden + conv(x)
        hidden = F.relu(hidden)
        gates = [conv(hidden) for conv in self.conv2]
        return [g if s is None else g * s for g, s in zip(gates, scales)]


class SpatialJoint(nn.Module):
    """Spatial weighting of all branches at once, with weights between none of them.

    Args:
        parts: Squeeze and excitation of each branch.
        form: How the network is written down.
    """

    def __init__(self, parts: list[tuple[Folded, Folded]], form: Form) -> None:
        super().__init__()
        self.widths = [len(excite.bias) for _, excite in parts]
        self.squeeze = Convolution(_block_diagonal([x for x, _ in parts]), form, 'relu')
        self.excite = Convolution(
            _block_diagonal([x for _, x in parts]), form, 'sigmoid'
        )

    def forward(self, xs: list[Tensor]) -> Tensor:
        """One gate for each channel of all branches joined, ``(N, C, 1, 1)``.

        Args:
            xs: The branches, or all joined in one tensor.
        """
        means = [x.mean((2, 3)) for x in xs]
        means = torch.cat(means, dim=1) if len(means) > 1 else means[0]
        gates = self.excite.on_pixels(self.squeeze.on_pixels(means))
        return gates.view(*gates.shape, 1, 1)

    def divide(self, gates: Tensor) -> tuple[Tensor, ...]:
        """The gates of each branch."""
        return gates.split(self.widths, dim=1)


class SpatialBranchwise(nn.Module):
    """Spatial weighting, each branch for itself.

    Args:
        parts: Squeeze and excitation of each branch.
        form: How the network is written down.
    """

    def __init__(self, parts: list[tuple[Folded, Folded]], form: Form) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.ModuleList(), nn.ModuleList()
        for squeeze, excite in parts:
            hidden = Layout.plain(len(squeeze.bias), form.channel_block)
            narrow = squeeze.write(hidden)
            self.squeeze.append(Convolution(narrow, form, 'relu'))
            wide = Folded(hidden.arrange(excite.weight, 1), excite.bias)
            self.excite.append(Convolution(wide, form, 'sigmoid'))

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """One gate for each channel, branch by branch ``(N, C_i, 1, 1)``."""
        return [
            excite(squeeze(F.adaptive_avg_pool2d(x, 1)))
            for squeeze, excite, x in zip(self.squeeze, self.excite, xs)
        ]

    @staticmethod
    def divide(gates: list[Tensor]) -> list[Tensor]:
        """The gates of each branch."""
        return gates


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
