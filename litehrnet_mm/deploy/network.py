"""The rewritten Lite-HRNet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from litehrnet_mm.deploy.fusion import RewrittenFusion
from litehrnet_mm.deploy.layers import Form
from litehrnet_mm.deploy.layout import Layout
from litehrnet_mm.deploy.shuffling import FullWidthShuffleUnit
from litehrnet_mm.deploy.stacks import (
    RewrittenHead,
    RewrittenStem,
    flatten_stack,
    make_stack,
)
from litehrnet_mm.deploy.weighting import WeightingChain
from litehrnet_mm.models.litehrnet import LiteHRNet
from litehrnet_mm.models.module import HighResolutionModule


class RewrittenLiteHRNet(nn.Module):
    """The inference form of a :class:`~litehrnet_mm.models.LiteHRNet`.

    Args:
        net: The original, in evaluation mode.
        form: How the network is written down.

    Attributes:
        out_channels (tuple[int, ...]): Channels of each returned branch.
    """

    def __init__(self, net: LiteHRNet, form: Form) -> None:
        super().__init__()
        self.form = form
        self.in_channels = net.in_channels
        self.out_indices, self.out_channels = net.out_indices, net.out_channels
        self.stem = RewrittenStem(net.stem, form)
        self.transitions, self.stages = nn.ModuleList(), nn.ModuleList()
        layouts = [self.stem.layout]
        for index, stage in enumerate(net.arch.stages):
            shuffles = _shuffles_to_come(net, index)
            transition = getattr(net, f'transition{index}')
            sources = [
                layouts[min(i, len(layouts) - 1)] for i in range(len(transition))
            ]
            made = nn.ModuleList()
            layouts = []
            for i, layer in enumerate(transition):
                if isinstance(layer, nn.Identity):
                    made.append(layer)
                    layouts.append(sources[i])
                    continue
                plain = Layout.plain(stage.num_channels[i], form.channel_block)
                layouts.append(plain.ending_plain(shuffles[i]))
                stack = flatten_stack(layer)
                made.append(make_stack(stack, sources[i], layouts[i], form))
            self.transitions.append(made)
            modules = []
            for module in getattr(net, f'stage{index}'):
                modules.append(RewrittenModule(module, layouts, form))
                layouts = modules[-1].layouts
            self.stages.append(nn.Sequential(*modules))
        self.head = (
            RewrittenHead(net.head_layer, layouts, form) if net.with_head else None
        )
        self.layouts = self.head.layouts if net.with_head else layouts

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the branches that the original returns.

        Args:
            x: Images ``(N, in_channels, H, W)``, H and W at least 32.
        """
        if not self.form.graph:
            x = x.contiguous(memory_format=torch.channels_last)
        branches = [self.stem(x)]
        for transition, stage in zip(self.transitions, self.stages):
            branches = [
                layer(branches[min(i, len(branches) - 1)])
                for i, layer in enumerate(transition)
            ]
            branches = stage(branches)
        if self.head is not None:
            branches = self.head(branches)
        return tuple(self.layouts[i].restore(branches[i]) for i in self.out_indices)


class RewrittenModule(nn.Module):
    """A high-resolution module.

    Args:
        module: The original.
        layouts: Of each branch as it comes in.
        form: How the network is written down.

    Attributes:
        layouts: Of each branch as it goes out.
    """

    def __init__(
        self, module: HighResolutionModule, layouts: Sequence[Layout], form: Form
    ) -> None:
        super().__init__()
        self.form = form
        self.is_lite = module.is_lite
        doubled = module.with_fuse and module.fuse_layers.released
        if self.is_lite:
            self.blocks = WeightingChain(module.layers, layouts, form, doubled)
            self.layouts = self.blocks.layouts
        else:
            self.layouts = list(layouts)
            self.blocks = nn.ModuleList(
                self._make_units(branch, i, form, doubled and i == 0)
                for i, branch in enumerate(module.layers)
            )
        self.fuse = None
        if module.with_fuse:
            self.fuse = RewrittenFusion(module.fuse_layers, self.layouts, form)

    def _make_units(
        self, branch: nn.Module, i: int, form: Form, doubled: bool
    ) -> nn.Sequential:
        units = list(branch) if isinstance(branch, nn.Sequential) else []
        made = []
        for unit in units:
            factor = 2 if doubled and unit is units[-1] else 1
            made.append(FullWidthShuffleUnit(unit, self.layouts[i], form, factor))
            self.layouts[i] = self.layouts[i].shuffled()
        return nn.Sequential(*made)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map tensors ``(N, C_i, H/2^i, W/2^i)`` to tensors of the same shapes."""
        scales: Sequence[Tensor | None] = [None] * len(branches)
        if self.is_lite:
            branches, scales = self.blocks(branches)
        else:
            branches = [layer(x) for layer, x in zip(self.blocks, branches)]
        if self.fuse is not None:
            return self.fuse(branches, scales)
        return [
            x if s is None else self.form.scale(x, s) for x, s in zip(branches, scales)
        ]


def _shuffles_to_come(net: LiteHRNet, first: int) -> list[int]:
    """How often each branch is shuffled from a stage on, to its next transition."""
    counts = [0] * net.arch.stages[first].num_branches
    going = [True] * len(counts)
    for index in range(first, len(net.arch.stages)):
        stage = net.arch.stages[index]
        if index > first:
            transition = getattr(net, f'transition{index}')
            for i in range(len(counts)):
                going[i] = going[i] and isinstance(transition[i], nn.Identity)
        for i in range(len(counts)):
            if going[i]:
                counts[i] += stage.num_modules * stage.num_blocks
    return counts
