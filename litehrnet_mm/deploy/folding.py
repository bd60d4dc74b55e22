"""BatchNorm folded into the convolution before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from litehrnet_mm.deploy.layout import Layout


@dataclass(frozen=True)
class Folded:
    """A convolution with a bias, and what was folded into it.

    Attributes:
        weight: ``(C_out, C_in, k, k)``, of a depthwise one ``(C, 1, k, k)``.
        bias: ``(C_out,)``, or nothing.
        stride: Of the convolution; padding is always half the kernel.
        depthwise: Whether each channel is filtered for itself.
    """

    weight: Tensor
    bias: Tensor | None
    stride: int = 1
    depthwise: bool = False

    def read(self, layout: Layout) -> Folded:
        """The same for an input in a layout; what it pads is not read."""
        return replace(self, weight=layout.arrange(self.weight, 1))

    def write(self, layout: Layout) -> Folded:
        """The same with its output in a layout; what it pads is zero."""
        weight, bias = layout.arrange(self.weight, 0), layout.arrange(self.bias, 0)
        return replace(self, weight=weight, bias=bias)

    def divided(self, widths: Sequence[int]) -> list[Folded]:
        """Convolutions for successive parts of the output, of these widths."""
        parts = zip(self.weight.split(widths), self.bias.split(widths))
        return [replace(self, weight=weight, bias=bias) for weight, bias in parts]

    def scaled(self, factor: float) -> Folded:
        """The same with its output times a factor."""
        return replace(self, weight=self.weight * factor, bias=self.bias * factor)


def fold(conv: nn.Module, norm: nn.Module | None = None) -> Folded:
    """Fold a normalisation that follows a convolution into it.

    With mean μ, variance σ², weight γ and bias β of the normalisation the
    convolution's weights are multiplied by γ/√(σ² + ε), and its bias b becomes
    (b - μ)·γ/√(σ² + ε) + β. Computed in double precision.

    Raises:
        ValueError: If that is not exact, or not possible: another normalisation than
            BatchNorm, one without running statistics, or a convolution of another
            kind.
    """
    if type(conv) is not nn.Conv2d:
        raise ValueError(f'cannot rewrite a convolution {type(conv).__name__}')
    weight = conv.weight.detach().double()
    bias = weight.new_zeros(conv.out_channels)
    if conv.bias is not None:
        bias = conv.bias.detach().double()
    if norm is not None:
        scale, shift = _affine(norm)
        weight, bias = weight * scale.view(-1, 1, 1, 1), bias * scale + shift
    dtype = conv.weight.dtype
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    depthwise = depthwise and conv.kernel_size[0] > 1
    return Folded(weight.to(dtype), bias.to(dtype), conv.stride[0], depthwise)


def fold_module(module: ConvModule) -> Folded:
    """Fold mmcv's convolution module; its activation is left to the caller."""
    return fold(module.conv, module.norm if module.with_norm else None)


def fold_pairs(stack: nn.Sequential) -> list[Folded]:
    """Fold a stack of convolutions, each followed by its normalisation."""
    layers = [layer for layer in stack if not isinstance(layer, nn.ReLU)]
    return [fold(conv, norm) for conv, norm in zip(layers[::2], layers[1::2])]


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    if not isinstance(norm, _BatchNorm):
        raise ValueError(
            f'only BatchNorm can be folded, and this network has {type(norm).__name__}'
        )
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError('a BatchNorm without running statistics cannot be folded')
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    scale = torch.rsqrt(variance + norm.eps)
    if norm.affine:
        scale = scale * norm.weight.detach().double()
    shift = -mean * scale
    if norm.affine:
        shift = shift + norm.bias.detach().double()
    return scale, shift
