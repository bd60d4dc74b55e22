"""Networks and numbers that several test modules share."""

from __future__ import annotations

import torch
from torch import nn

PUBLISHED = {
    'litehrnet-18': ((2, 4, 2), 'LITE', (40, 80, 160, 320)),
    'litehrnet-30': ((3, 8, 3), 'LITE', (40, 80, 160, 320)),
    'naive-litehrnet-18': ((2, 4, 2), 'NAIVE', (30, 60, 120, 240)),
    'wider-naive-litehrnet-18': ((2, 4, 2), 'NAIVE', (40, 80, 160, 320)),
}


def mmpose_extra(
    num_modules: tuple[int, ...] = (2, 4, 2),
    module_type: str = 'LITE',
    widths: tuple[int, ...] = (40, 80, 160, 320),
    with_head: bool = True,
    with_fuse: bool = True,
    num_branches: tuple[int, ...] = (2, 3, 4),
) -> dict:
    """The ``extra`` of a net as MMPose's configs write it."""
    stages = len(num_branches)
    return dict(
        stem=dict(stem_channels=32, out_channels=32, expand_ratio=1),
        num_stages=stages,
        stages_spec=dict(
            num_modules=num_modules,
            num_branches=num_branches,
            num_blocks=(2,) * stages,
            module_type=(module_type,) * stages,
            with_fuse=(with_fuse,) * stages,
            reduce_ratios=(8,) * stages,
            num_channels=tuple(widths[:count] for count in num_branches),
        ),
        with_head=with_head,
    )


def tiny_extra(module_type: str = 'LITE', **kwargs) -> dict:
    """A narrow, shallow net of four branches."""
    return mmpose_extra((1, 1, 2), module_type, (8, 16, 24, 32), **kwargs)


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter and BatchNorm statistic a random value, in place.

    Fresh statistics (mean 0, variance 1) and zero biases would hide most mistakes.
    The spread keeps activations of the published nets within a few orders of 1.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(0, fan_in**-0.5, generator=generator)
            else:
                parameter.uniform_(0.5, 1.5, generator=generator)
        for name, buffer in model.named_buffers():
            if name.endswith('running_mean'):
                buffer.normal_(0, 0.5, generator=generator)
            elif name.endswith('running_var'):
                buffer.uniform_(0.5, 2, generator=generator)
    return model


def random_images(*shape: int, seed: int = 1, dtype=torch.float32) -> torch.Tensor:
    """Normally distributed images."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def relative_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def settle(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """Take BatchNorm's statistics from images, as training does, in place.

    Deep nets with statistics from elsewhere amplify rounding so much that not even the
    same net agrees with itself in two precisions.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    with torch.no_grad():
        model(images)
    return model.train(False)
