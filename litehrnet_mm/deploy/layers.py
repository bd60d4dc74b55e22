"""The few operations that a rewritten network is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.deploy.folding import Folded


@dataclass(frozen=True)
class Form:
    """How the rewritten network is written down; what it computes is the same.

    Attributes:
        graph: Convolutions and resizing only, each branch for itself, as the
            optimisers of exported graphs want them. Otherwise, for PyTorch itself,
            few large operators: channels last, 1×1 convolutions as products of
            matrices, gates taken up by broadcasting.
        broadcast: Whether gates are left to broadcasting in graphs, too.
        channel_block: Widths are padded with zero channels to a multiple of this.
        any_size: Sizes are unknown while the graph is written, so no shortcut may
            depend on them.
    """

    graph: bool = False
    broadcast: bool = False
    channel_block: int = 1
    any_size: bool = False

    def is_multiple(self, fine: Tensor, coarse: Tensor) -> int:
        """How many times as high and as wide as another a map is; 0 if not a whole."""
        if self.any_size:
            return 0
        (height, width), (h, w) = fine.shape[-2:], coarse.shape[-2:]
        height, width, h, w = (int(side) for side in (height, width, h, w))
        factor = height // h
        return factor if (height, width) == (factor * h, factor * w) else 0

    def scale(self, x: Tensor, factor: Tensor) -> Tensor:
        """``x`` times one number a channel, ``(N, C, 1, 1)``."""
        return x * self.repeat(factor, x)

    def repeat(self, x: Tensor, like: Tensor) -> Tensor:
        """Make ``(N, C, 1, 1)`` ready to be multiplied with a map.

        ONNX Runtime leaves its fast memory layout for products that broadcast.
        """
        if self.broadcast or not self.graph:
            return x
        sides = like.shape[-2:]
        if self.any_size:
            return F.interpolate(x, size=sides, mode='nearest')
        return F.interpolate(x, scale_factor=tuple(map(int, sides)), mode='nearest')

    def pool(self, x: Tensor, factor: int) -> Tensor:
        """Average windows of ``factor`` pixels a side; borders may cut them off."""
        if factor == 1:
            return x
        # Graph runtimes leave their fast memory layout where windows may be cut off.
        whole = not self.any_size and all(
            int(side) % factor == 0 for side in x.shape[2:]
        )
        # ONNX Runtime before 1.29 counts what is outside, unless told not to.
        return F.avg_pool2d(x, factor, ceil_mode=not whole, count_include_pad=False)

    def upsample(self, x: Tensor, like: Tensor) -> Tensor:
        """Repeat the pixels of ``x`` until it has the size of another map."""
        factor = self.is_multiple(like, x)
        if factor == 1:
            return x
        if factor:
            return F.interpolate(x, scale_factor=factor, mode='nearest')
        return F.interpolate(x, size=like.shape[-2:], mode='nearest')

    def _by_cells(self, x: Tensor, coarse: Tensor, factor: int) -> bool:
        # How results lie in memory is known only if channels come last in both.
        last = x.stride(1) == 1 and coarse.stride(1) == 1
        return not self.graph and factor > 1 and last

    def multiply_up(self, x: Tensor, gate: Tensor) -> Tensor:
        """``x`` times a coarser gate."""
        factor = self.is_multiple(x, gate)
        if not self._by_cells(x, gate, factor):
            return x * self.upsample(gate, x)
        return _channels_last(_cells(x, factor) * _spread(gate), x.shape)

    def add_up(self, x: Tensor, coarse: Tensor, scale: Tensor | None = None) -> Tensor:
        """``x``, times one number a channel if there is any, plus a coarser map."""
        factor = self.is_multiple(x, coarse)
        if not self._by_cells(x, coarse, factor):
            x = x if scale is None else self.scale(x, scale)
            return x + self.upsample(coarse, x)
        cells, coarse = _cells(x, factor), _spread(coarse)
        if scale is None:
            joined = cells + coarse
        else:
            joined = torch.addcmul(coarse, cells, _spread(scale))
        return _channels_last(joined, x.shape)

    def sum_up(self, maps: list[Tensor], scale: Tensor | None = None) -> Tensor:
        """Upsample maps, finest first, to the size of the finest, and add them.

        The finest is multiplied with ``scale`` before.

        Where each is twice as large as the next, repeating pixels step by step is the
        same as repeating them at once, and all but the finest are added while they are
        small.
        """
        finest, *coarser = maps
        if not coarser:
            return finest if scale is None else self.scale(finest, scale)
        if all(self.is_multiple(a, b) == 2 for a, b in zip(maps, coarser)):
            return self.add_up(finest, self.sum_up(coarser), scale)
        finest = self.add_up(finest, coarser[0], scale)
        for x in coarser[1:]:
            finest = self.add_up(finest, x)
        return finest


def _cells(x: Tensor, factor: int) -> Tensor:
    """View ``(N, C, kh, kw)`` as ``(N, C, h, k, w, k)``."""
    n, c, height, width = x.shape
    return x.view(n, c, height // factor, factor, width // factor, factor)


def _spread(x: Tensor) -> Tensor:
    """View ``(N, C, h, w)`` as ``(N, C, h, 1, w, 1)``."""
    n, c, height, width = x.shape
    return x.view(n, c, height, 1, width, 1)


def _channels_last(x: Tensor, shape: Sequence[int]) -> Tensor:
    """View memory that holds ``(N, H, W, C)`` as ``(N, C, H, W)``.

    Other views would leave a batch of one image an arbitrary stride, by which PyTorch
    no longer recognises channels last.
    """
    _, c, height, width = shape
    return x.as_strided(shape, (c * height * width, 1, width * c, c))


class Convolution(nn.Module):
    """A convolution with a bias, and what follows it.

    Args:
        folded: Its weights.
        form: How it is written down.
        act: ``'relu'``, ``'sigmoid'`` or nothing.
    """

    def __init__(self, folded: Folded, form: Form, act: str | None = None) -> None:
        super().__init__()
        self.act = act
        self.stride = folded.stride
        self.padding = folded.weight.shape[-1] // 2
        self.groups = len(folded.weight) if folded.depthwise else 1
        self.by_product = (
            not form.graph and folded.weight.shape[-1] == 1 and self.stride == 1
        )
        weight = folded.weight
        if self.by_product:
            weight = weight.flatten(1).t()
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        self.bias = None
        if folded.bias is not None:
            self.bias = nn.Parameter(folded.bias.contiguous(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C_in, H, W)`` to ``(N, C_out, H/stride, W/stride)``."""
        if self.by_product:
            return from_pixels(self.on_pixels(as_pixels(x)), x)
        y = F.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, 1, self.groups
        )
        return self._activate(y)

    def on_pixels(self, rows: Tensor) -> Tensor:
        """Map ``(pixels, C_in)`` to ``(pixels, C_out)``."""
        return self._activate(torch.addmm(self.bias, rows, self.weight))

    def _activate(self, x: Tensor) -> Tensor:
        if self.act == 'relu':
            return x.relu_()
        return x.sigmoid_() if self.act == 'sigmoid' else x


class FanOut(nn.Module):
    """A 1×1 convolution whose output is divided into several maps.

    In graphs it is a convolution for each: a split would cost them their memory layout.

    Args:
        folded: The convolution.
        widths: Channels of each map.
        form: How it is written down.
        act: As for :class:`Convolution`.
    """

    def __init__(
        self,
        folded: Folded,
        widths: Sequence[int],
        form: Form,
        act: str | None = None,
    ) -> None:
        super().__init__()
        self.widths = list(widths)
        parts = folded.divided(widths) if form.graph else [folded]
        self.convs = nn.ModuleList(Convolution(part, form, act) for part in parts)
        self.graph = form.graph

    def joined(self, x: Tensor) -> Tensor | list[Tensor]:
        """Map ``(N, C_in, H, W)`` to ``(N, ΣC_i, H, W)``, in graphs to the parts."""
        return [conv(x) for conv in self.convs] if self.graph else self.convs[0](x)

    def divide(self, joined: Tensor | list[Tensor]) -> Sequence[Tensor]:
        """The parts ``(N, C_i, H, W)`` of what ``joined`` returned."""
        return joined if self.graph else joined.split(self.widths, dim=1)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Map ``(N, C_in, H, W)`` to tensors ``(N, C_i, H, W)``."""
        return self.divide(self.joined(x))


def as_pixels(x: Tensor) -> Tensor:
    """View ``(N, C, H, W)``, channels last, as ``(N * H * W, C)``."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def from_pixels(rows: Tensor, like: Tensor) -> Tensor:
    """View ``(N * H * W, C)`` as ``(N, C, H, W)``, of another map's N, H and W."""
    n, _, height, width = like.shape
    return _channels_last(rows, (n, rows.shape[1], height, width))
