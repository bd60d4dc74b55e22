"""Stacks of depthwise and 1×1 convolutions: stem, transitions, fuse layers, head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from litehrnet_mm.deploy.folding import Folded, fold_module, fold_pairs
from litehrnet_mm.deploy.layers import Convolution, Form
from litehrnet_mm.deploy.layout import Layout
from litehrnet_mm.models.blocks import Stem
from litehrnet_mm.models.head import IterativeHead


def flatten_stack(stack: nn.Sequential) -> list[tuple[Folded, str | None]]:
    """The convolutions of a stack, perhaps of stacks, with what follows each."""
    if isinstance(stack[0], nn.Sequential):
        return [layer for part in stack for layer in flatten_stack(part)]
    folded = fold_pairs(stack)
    acts: list[str | None] = [None] * len(folded)
    if isinstance(stack[-1], nn.ReLU):
        acts[-1] = 'relu'
    return list(zip(folded, acts))


def make_stack(
    layers: list[tuple[Folded, str | None]], start: Layout, end: Layout, form: Form
) -> nn.Sequential:
    """Arrange a stack for a layout that comes in and one that goes out.

    Depthwise convolutions keep the layout, 1×1 convolutions in between too if they
    keep the number of channels; the last 1×1 convolution changes it.
    """
    made = []
    last = max(k for k, (folded, _) in enumerate(layers) if not folded.depthwise)
    for k, (folded, act) in enumerate(layers):
        if folded.depthwise:
            folded = folded.write(end if k > last else start)
        else:
            folded = folded.read(start).write(end if k == last else start)
        made.append(Convolution(folded, form, act))
    return nn.Sequential(*made)


class RewrittenStem(nn.Module):
    """The stem, its first convolution divided into the halves that it is split into.

    Args:
        stem: The original.
        form: How the network is written down.

    Attributes:
        layout: Of the output.
    """

    def __init__(self, stem: Stem, form: Form) -> None:
        super().__init__()
        block = form.channel_block
        first = fold_module(stem.conv1)
        half = Layout.plain(len(first.bias) // 2, block)
        parts = zip(first.weight.chunk(2), first.bias.chunk(2))
        self.conv1, self.conv2 = (
            Convolution(Folded(w, b, first.stride).write(half), form, 'relu')
            for w, b in parts
        )
        narrow, wide = ([fold_module(x) for x in part] for part in _paths(stem))
        left = Layout.plain(len(narrow[-1].bias), block)
        right = Layout.plain(len(wide[-1].bias), block)
        inner = Layout.plain(len(wide[0].bias), block)
        self.branch1 = nn.Sequential(
            Convolution(narrow[0].write(half), form),
            Convolution(narrow[1].read(half).write(left), form, 'relu'),
        )
        self.branch2 = nn.Sequential(
            Convolution(wide[0].read(half).write(inner), form, 'relu'),
            Convolution(wide[1].write(inner), form),
            Convolution(wide[2].read(inner).write(right), form, 'relu'),
        )
        self.layout = left.joined(right).shuffled()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C_in, H, W)`` to ``(N, C_out, ⌈H/4⌉, ⌈W/4⌉)``."""
        halves = self.branch1(self.conv1(x)), self.branch2(self.conv2(x))
        return torch.cat(halves, dim=1)


def _paths(stem: Stem) -> tuple[list, list]:
    return list(stem.branch1), [stem.expand_conv, stem.depthwise_conv, stem.linear_conv]


class RewrittenHead(nn.Module):
    """The iterative head.

    Args:
        head: The original.
        layouts: Of the branches.
        out: Branches whose output is used: those come out in their own order.
        form: How the network is written down.
    """

    def __init__(self, head: IterativeHead, layouts: list[Layout], form: Form) -> None:
        super().__init__()
        self.form = form
        self.projects = nn.ModuleList()
        for k, project in enumerate(head.projects):
            i = len(layouts) - 1 - k
            layers = [
                (fold_module(project.depthwise_conv), None),
                (fold_module(project.pointwise_conv), 'relu'),
            ]
            # A projection goes where the next finer branch waits for it.
            end = layouts[i - 1] if i else Layout.plain(len(layers[1][0].bias))
            self.projects.append(make_stack(layers, layouts[i], end, form))
        self.layouts = [*layouts[:1], *layouts[:-1]]
        finest = len(layouts) - len(head.projects)
        if finest == 0:
            self.layouts[0] = Layout.plain(layouts[0].channels)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map ``(N, C_i, H/2^i, W/2^i)`` to the same sizes."""
        out = list(branches)
        coarser = None
        for i, project in zip(reversed(range(len(branches))), self.projects):
            x = branches[i]
            if coarser is not None:
                x = x + nn.functional.interpolate(
                    coarser, size=x.shape[-2:], mode='bilinear', align_corners=True
                )
            out[i] = coarser = project(x)
        return out
