"""The exchange across resolutions, each layer computed where it is cheapest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.deploy.folding import Folded, fold_pairs
from litehrnet_mm.deploy.layers import FanOut, Form
from litehrnet_mm.deploy.layout import Layout
from litehrnet_mm.deploy.stacks import flatten_stack, make_stack
from litehrnet_mm.models.module import Fusion


class RewrittenFusion(nn.Module):
    """A fusion of branches that wait for their spatial weighting.

    1×1 convolutions to finer branches come before the upsampling, as in the original.
    The released sum has branch 0 twice: it has to come in so. Its other factor of 2 is
    in the weights of ``f_i0``.

    Args:
        fusion: The original.
        layouts: Of each branch, which they keep.
        form: How the network is written down.
    """

    def __init__(self, fusion: Fusion, layouts: Sequence[Layout], form: Form) -> None:
        super().__init__()
        self.form = form
        self.released = fusion.released
        self.rows, self.out_branches = fusion.rows, fusion.out_branches
        self.lateral = nn.ModuleDict(
            {
                str(j): self._make_lateral(fusion, layouts, j, form)
                for j in range(self.rows[0] + 1, len(layouts))
            }
        )
        self.down = nn.ModuleDict()
        for i in self.rows:
            for j in range(i):
                layers = flatten_stack(fusion[i][j])
                if j == 0 and self.released:
                    folded, act = layers[-1]
                    layers[-1] = folded.scaled(2), act
                self.down[f'{i}_{j}'] = make_stack(layers, layouts[j], layouts[i], form)

    def _make_lateral(
        self, fusion: Fusion, layouts: Sequence[Layout], j: int, form: Form
    ) -> FanOut:
        """The 1×1 convolutions that bring branch ``j`` to all finer ones."""
        finer = [i for i in self.rows if i < j]
        folded = [
            fold_pairs(fusion[i][j])[0].read(layouts[j]).write(layouts[i])
            for i in finer
        ]
        weight = torch.cat([x.weight for x in folded])
        bias = torch.cat([x.bias for x in folded])
        return FanOut(Folded(weight, bias), [layouts[i].width for i in finer], form)

    def forward(
        self, xs: list[Tensor], scales: Sequence[Tensor | None]
    ) -> list[Tensor]:
        """Map tensors ``(N, C_i, H/2^i, W/2^i)`` to tensors of the same shapes.

        Args:
            xs: The branches.
            scales: For each ``(N, C_i, 1, 1)`` to multiply with, or nothing.
        """
        # Of the released sums only that of branch 0 reads branch 0 as it comes in.
        waits = 0 if self.released else None
        form = self.form
        sources = [
            x if s is None or i == waits else form.scale(x, s)
            for i, (x, s) in enumerate(zip(xs, scales))
        ]
        up: dict[int, list[Tensor]] = {i: [] for i in self.rows}
        for j, lateral in self.lateral.items():
            for found, y in zip(up.values(), lateral(sources[int(j)])):
                found.append(y)
        out = list(sources)
        for i in self.rows:
            if i == 0:
                scale = scales[0] if self.released else None
                y = form.sum_up([sources[0], *up[0]], scale)
                if self.released:
                    sources[0] = y
            else:
                # The convolutions last: runtimes add and rectify as they compute them.
                y = self.form.sum_up([sources[i], *up[i]])
                for j in range(i):
                    y = y + self.down[f'{i}_{j}'](sources[j])
            if i in self.out_branches:
                keep = i == 0 and self.released and len(self.rows) > 1
                out[i] = F.relu(y) if keep else F.relu_(y)
        return out
