"""Networks and numbers that several test modules share."""

from __future__ import annotations

import torch
from torch import nn

from litehrnet_mm.analysis.randomising import randomise

__all__ = [
    'PUBLISHED',
    'mmpose_extra',
    'random_images',
    'randomise',
    'relative_difference',
    'settle',
    'tiny_extra',
]

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
