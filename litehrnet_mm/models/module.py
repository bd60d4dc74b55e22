"""The high-resolution module: parallel branches, then fusion across resolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.models.arch import StageSpec
from litehrnet_mm.models.blocks import ConditionalChannelWeighting, ShuffleUnit
from litehrnet_mm.models.layers import LayerCfg, join_upsampled, upsample_nearest_like

FUSIONS = ('released', 'plain')


class HighResolutionModule(nn.Module):
    """Blocks on each branch, then every branch takes in every other.

    Args:
        stage: The stage this module belongs to.
        cfg: How layers are built.
        out_branches: Branches whose output is used, ascending. Parameters that only
            the others would need are not built, and the others' entries in the
            output carry nothing of use.
        fusion: ``'released'`` or ``'plain'``, see :class:`Fusion`.
        with_cp: Recompute the blocks' activations in the backward pass.
    """

    def __init__(
        self,
        stage: StageSpec,
        cfg: LayerCfg,
        out_branches: Sequence[int],
        fusion: str = 'released',
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.is_lite = stage.module_type == 'LITE'
        self.with_fuse = stage.with_fuse and stage.num_branches > 1
        block_outputs = range(stage.num_branches) if self.with_fuse else out_branches
        make_layers = _lite_blocks if self.is_lite else _naive_branches
        self.layers = make_layers(stage, cfg, tuple(block_outputs), with_cp)
        if self.with_fuse:
            self.fuse_layers = Fusion(stage.num_channels, cfg, out_branches, fusion)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map tensors ``(N, C_i, H/2^i, W/2^i)`` to tensors of the same shapes."""
        if self.is_lite:
            branches = self.layers(branches)
        else:
            branches = [layer(x) for layer, x in zip(self.layers, branches)]
        return self.fuse_layers(branches) if self.with_fuse else branches


def _lite_blocks(
    stage: StageSpec, cfg: LayerCfg, out_branches: tuple[int, ...], with_cp: bool
) -> nn.Sequential:
    # H looks at all branches, so only the last block can leave some out.
    return nn.Sequential(
        *(
            ConditionalChannelWeighting(
                stage.num_channels,
                stage.reduce_ratio,
                cfg,
                out_branches if block == stage.num_blocks - 1 else None,
                with_cp,
            )
            for block in range(stage.num_blocks)
        )
    )


def _naive_branches(
    stage: StageSpec, cfg: LayerCfg, out_branches: tuple[int, ...], with_cp: bool
) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(
            *(ShuffleUnit(width, cfg, with_cp) for _ in range(stage.num_blocks))
        )
        if i in out_branches
        else nn.Identity()
        for i, width in enumerate(stage.num_channels)
    )


class Fusion(nn.ModuleList):
    r"""The exchange across resolutions at the end of a module.

    With :math:`o_j` the branches and :math:`f_{ij}` the layers that bring branch
    ``j`` to the width and size of branch ``i``, the textbook sum (``'plain'``) is

    .. math:: y_i = o_i + \sum_{j \ne i} f_{ij}(o_j).

    The released networks compute something else. Their code adds to branch 0 in
    place, which changes what the later sums read, and starts each sum with a term
    that the loop then adds once more. Written without side effects (``'released'``):

    .. math::
        y_0 &= 2 o_0 + \sum_{j > 0} f_{0j}(o_j) \\
        y_i &= 2 f_{i0}(y_0) + \sum_{0 < j < i} f_{ij}(o_j) + o_i
               + \sum_{j > i} f_{ij}(o_j)

    Here :math:`y_0` is taken before its ReLU. Every released weight was trained with
    this sum, and MMPose warns that mending it costs 0.5 to 1 AP. Both forms end in a
    ReLU on each branch.

    Args:
        channels: Channels ``C_i`` of the branches, highest resolution first.
        cfg: How layers are built.
        out_branches: Branches to compute. The others are returned as they came in.
        fusion: ``'released'`` or ``'plain'``.
    """

    def __init__(
        self,
        channels: Sequence[int],
        cfg: LayerCfg,
        out_branches: Sequence[int],
        fusion: str = 'released',
    ) -> None:
        super().__init__()
        self.released = fusion == 'released'
        self.out_branches = tuple(out_branches)
        # The released y_i all start from y_0.
        needed = {0, *out_branches} if self.released else set(out_branches)
        self.rows = tuple(sorted(needed))
        for i in range(len(channels)):
            layers = (_fuse_layer(channels, i, j, cfg) for j in range(len(channels)))
            self.append(nn.ModuleList(layers) if i in self.rows else nn.Identity())

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map tensors ``(N, C_i, H/2^i, W/2^i)`` to tensors of the same shapes."""
        out = list(branches)
        sources = list(branches)
        for i in self.rows:
            y = self._sum(i, sources)
            if i == 0 and self.released:
                sources[0] = y
            if i in self.out_branches:
                out[i] = F.relu(y)
        return out

    def _sum(self, i: int, sources: list[Tensor]) -> Tensor:
        """The sum for branch ``i``, before its ReLU."""
        terms = [layer(x) for layer, x in zip(self[i], sources)]
        first, others, coarser = terms[0], terms[1 : i + 1], terms[i + 1 :]
        if self.training and coarser:
            others += join_upsampled(coarser, sources[i])
        else:  # in the order of the released code, to its last bit
            others += [upsample_nearest_like(x, sources[i]) for x in coarser]
        y = torch.add(others[0], first, alpha=2 if self.released else 1)
        for x in others[1:]:
            y = y + x
        return y


def _fuse_layer(channels: Sequence[int], i: int, j: int, cfg: LayerCfg) -> nn.Module:
    """The layer ``f_ij`` that brings branch ``j`` to the width of branch ``i``.

    Upsampling, which has no parameters, is left to :class:`Fusion`.
    """
    if j == i:
        return nn.Identity()
    if j > i:
        return nn.Sequential(
            cfg.bare_conv(channels[j], channels[i]), cfg.bare_norm(channels[i])
        )
    return cfg.downsampling(channels[j], channels[i], steps=i - j, last_relu=False)
