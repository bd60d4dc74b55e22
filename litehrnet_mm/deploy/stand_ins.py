"""Layers that exporters get wrong, in a form that they know."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from torch import Tensor, nn


class WindowAverage(nn.Module):
    """What ``nn.AdaptiveAvgPool2d`` computes, as products of matrices.

    The window ``i`` of ``n`` along a side of ``s`` pixels is from ``⌊i·s/n⌋`` up to,
    and without, ``⌈(i + 1)·s/n⌉``. ONNX has no operator for windows of unequal sizes.

    Args:
        size: Windows along height and width.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, *size)``."""
        rows, columns = (
            _windows(count, side, x) for count, side in zip(self.size, x.shape[2:])
        )
        return rows @ x @ columns.transpose(0, 1)


def _windows(count: int, side: int, like: Tensor) -> Tensor:
    """A row for each window, ``(count, side)``: what it multiplies pixels with."""
    number = torch.arange(count, device=like.device).unsqueeze(1)
    place = torch.arange(side, device=like.device).unsqueeze(0)
    start = number * side // count
    end = ((number + 1) * side + count - 1) // count
    inside = ((place >= start) & (place < end)).to(like.dtype)
    return inside / inside.sum(1, keepdim=True)


class AdaptivePadding(nn.Module):
    """What mmcv's ``Conv2dAdaptivePadding`` computes: as many pixels as strides.

    Args:
        conv: That convolution, its kernel at least as wide as its stride.
    """

    def __init__(self, conv: Conv2dAdaptivePadding) -> None:
        super().__init__()
        self.conv = copy.copy(conv)
        self.conv.__class__ = nn.Conv2d
        self.conv.padding = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C_out, ⌈H/stride⌉, ⌈W/stride⌉)``."""
        pads = []
        for dim in (1, 0):  # width first, as F.pad wants it
            side, stride = x.shape[2 + dim], self.conv.stride[dim]
            window = (self.conv.kernel_size[dim] - 1) * self.conv.dilation[dim] + 1
            missing = ((side + stride - 1) // stride - 1) * stride + window - side
            pads += [missing // 2, missing - missing // 2]
        return self.conv(F.pad(x, pads))


def with_known_layers(model: nn.Module) -> nn.Module:
    """A copy of a model without such layers, which computes the same.

    These are adaptive pooling to several windows; mmcv's convolutions with adaptive
    padding and MMSegmentation's ``Upsample``, which both make the size of the recorded
    image a constant.
    """
    model = copy.deepcopy(model)
    _replace(model)
    return model


def _replace(model: nn.Module) -> None:
    for name, child in model.named_children():
        _replace(child)
        if isinstance(child, nn.AdaptiveAvgPool2d):
            size = child.output_size
            height, width = size if isinstance(size, tuple) else (size, size)
            if None not in (height, width) and (height, width) != (1, 1):
                setattr(model, name, WindowAverage((height, width)))
        elif type(child) is Conv2dAdaptivePadding and child.stride <= child.kernel_size:
            setattr(model, name, AdaptivePadding(child))
        elif type(child).__module__.startswith('mmseg.') and _is_upsample(child):
            known = nn.Upsample(
                scale_factor=child.scale_factor,
                mode=child.mode,
                align_corners=child.align_corners,
            )
            setattr(model, name, known)


def _is_upsample(layer: nn.Module) -> bool:
    by_factor = not getattr(layer, 'size', None) and hasattr(layer, 'scale_factor')
    return type(layer).__name__ == 'Upsample' and by_factor
