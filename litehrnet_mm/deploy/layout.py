"""In which order a tensor of the rewritten network holds the original channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PADDING = -1
"""In place of a channel's number: a channel that is zero, and stays so."""


@dataclass(frozen=True)
class Layout:
    """The original channel at each place of a tensor.

    A channel shuffle only renames channels: where the original network moves data,
    the rewritten one changes the layout, and arranges the next weights by it.

    Attributes:
        order: For each place the number of the channel there, or :data:`PADDING`.
    """

    order: tuple[int, ...]

    @classmethod
    def plain(cls, width: int, block: int = 1) -> Layout:
        """Channels in their own order, padded to a multiple of ``block``."""
        return cls((*range(width), *[PADDING] * (-width % block)))

    @property
    def width(self) -> int:
        """Number of places."""
        return len(self.order)

    @property
    def channels(self) -> int:
        """Number of original channels."""
        return sum(channel != PADDING for channel in self.order)

    @property
    def is_plain(self) -> bool:
        """Whether the tensor is the original one."""
        return list(self.order) == list(range(self.width))

    def shuffled(self) -> Layout:
        """The layout after a channel shuffle in two groups.

        Of ``2h`` channels, ``c < h`` becomes ``2c`` and ``c >= h`` becomes
        ``2(c - h) + 1``.
        """
        half = self.channels // 2

        def rename(channel: int) -> int:
            if channel == PADDING:
                return PADDING
            return 2 * channel if channel < half else 2 * (channel - half) + 1

        return Layout(tuple(rename(channel) for channel in self.order))

    def ending_plain(self, shuffles: int) -> Layout:
        """The layout that a number of shuffles turn into this plain one."""
        found = self
        for _ in range(shuffles):
            found = found.shuffled()
        # `found` tells what becomes of each channel: its inverse is wanted.
        places = sorted(range(self.channels), key=found.order.__getitem__)
        return Layout((*places, *self.order[self.channels :]))

    def second_half(self) -> Layout:
        """What holds the channels that a block works on, numbered from 0; else padding.

        Blocks pass the first half of the original channels and work on the second.
        """
        half = self.channels // 2
        return Layout(tuple(c - half if c >= half else PADDING for c in self.order))

    def arrange(self, weight: Tensor, dim: int, fill: float = 0) -> Tensor:
        """Bring one dimension of a weight from the original order into this one.

        Args:
            weight: Its size along ``dim`` is the number of channels.
            dim: Which dimension.
            fill: The value for places of padding.
        """
        order = torch.tensor(self.order, device=weight.device)
        found = weight.index_select(dim, order.clamp(min=0))
        shape = [1] * weight.dim()
        shape[dim] = -1
        return found.masked_fill((order == PADDING).view(shape), fill)

    def joined(self, *others: Layout) -> Layout:
        """The layout of tensors joined along the channels, this one first."""
        order: list[int] = []
        start = 0
        for layout in (self, *others):
            order += [c if c == PADDING else c + start for c in layout.order]
            start += layout.channels
        return Layout(tuple(order))

    def restore(self, x: Tensor) -> Tensor:
        """Bring a tensor ``(N, width, ...)`` into the original order of channels."""
        if self.is_plain:
            return x
        places = sorted(range(self.width), key=self.order.__getitem__)
        places = places[self.width - self.channels :]  # padding comes first
        if places == list(range(self.channels)):
            return x[:, : self.channels]
        return x[:, places]
