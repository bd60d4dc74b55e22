"""A built network, taken apart: every number from its modules or from one image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from litehrnet_mm.analysis.architecture import (
    RESIDUAL,
    SHUFFLE,
    WEIGHTING,
    Architecture,
    Size,
    Stage,
    Step,
    Weighting,
)
from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.blocks import ConditionalChannelWeighting
from litehrnet_mm.models.module import Fusion

BLOCKS = {'ShuffleUnit': SHUFFLE, 'BasicBlock': RESIDUAL}
"""Kinds of blocks that look at one branch, by their class."""


def describe(net: nn.Module, name: str, size: Size) -> Architecture:
    """Find out what a network is made of, from its modules and from one image.

    Args:
        net: A ``LiteHRNet``, or an ``HRNet`` of MMPose or MMSegmentation.
        name: What to call it.
        size: Of the image.

    Raises:
        UserError: If it is another network, or does not take this size.
    """
    is_ours = isinstance(net, LiteHRNet)
    if not is_ours and type(net).__name__ != 'HRNet':
        raise UserError(
            f'the backbone of {name} is a {type(net).__name__}: only LiteHRNet and '
            'HRNet can be drawn'
        )
    stages = [key for key, _ in net.named_children() if key.startswith('stage')]
    firsts = [f'{stage}.0' for stage in stages]
    steps = dict(_lite_steps(net) if is_ours else _plain_steps(net))
    channels = net.in_channels if is_ours else net.conv1.in_channels
    shapes, outputs = _run(net, [*firsts, *steps], (channels, *size))
    indices = net.out_indices if is_ours else range(len(outputs))
    has_head = is_ours and net.with_head
    fusions = [x for x in net.modules() if isinstance(x, Fusion)]
    resizes = [x for x in net.modules() if type(x).__name__ == 'Upsample']
    found = tuple(_stage(net, s, shapes[f]) for s, f in zip(stages, firsts))
    return Architecture(
        name=name,
        image=(channels, *size),
        stem=tuple(Step(steps[k], *_split(shapes[k][0])) for k in steps),
        stages=found,
        head=_head(net) if has_head else (),
        outputs=tuple((i, *_split(shape)) for i, shape in zip(indices, outputs)),
        weighting=_weighting(net.get_submodule(firsts[-1]), found[-1]),
        fusion='released' if any(x.released for x in fusions) else 'plain',
        upsampling=next((x.mode for x in resizes), 'nearest'),
        stem_parameters=sum(_count(net.get_submodule(key)) for key in _outer(steps)),
        head_parameters=_count(net.head_layer) if has_head else 0,
        parameters=_count(net),
    )


def _outer(names: Iterable[str]) -> list[str]:
    """Names of submodules without those that lie in others."""
    return [name for name in names if name.split('.')[0] not in set(names) - {name}]


def _lite_steps(net: LiteHRNet) -> list[tuple[str, str]]:
    return [
        ('stem.conv1', '3×3 conv\nstride 2'),
        ('stem', 'shuffle block\nstride 2'),
    ]


def _plain_steps(net: nn.Module) -> list[tuple[str, str]]:
    kind = type(net.layer1[0]).__name__.lower()
    convs = [(key, '3×3 conv\nstride 2') for key in ('conv1', 'conv2')]
    return [*convs, ('layer1', f'{kind}\n× {len(net.layer1)}')]


def _run(
    net: nn.Module, names: Sequence[str], image: tuple[int, int, int]
) -> tuple[dict[str, list[torch.Size]], list[torch.Size]]:
    """Shapes at named modules and of the outputs, for one image.

    Of a module that takes branches, those of the branches; of others, of the output.
    """
    shapes: dict[str, list[torch.Size]] = {}

    def watch(name: str):
        def hook(module, args, output) -> None:
            branches = isinstance(args[0], (list, tuple))
            shapes[name] = [x.shape for x in (args[0] if branches else [output])]

        return hook

    handles = [net.get_submodule(n).register_forward_hook(watch(n)) for n in names]
    try:
        with torch.no_grad():
            net.eval()  # HRNet of MMPose returns nothing from it
            outputs = net(torch.zeros(1, *image))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f'the network does not run on {image[1]}×{image[2]} pixels: '
            f'{one_line(error)}'
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    return shapes, [x.shape for x in outputs]


def _split(shape: torch.Size) -> tuple[int, Size]:
    """Channels and size of a shape ``(1, C, H, W)``."""
    return shape[1], (shape[2], shape[3])


def _stage(net: nn.Module, name: str, shapes: Sequence[torch.Size]) -> Stage:
    modules = net.get_submodule(name)
    kind, blocks = _blocks(modules[0], len(shapes))
    channels, sizes = zip(*map(_split, shapes))
    return Stage(
        name=name,
        modules=len(modules),
        block=kind,
        blocks=blocks,
        channels=channels,
        sizes=sizes,
        fusions=_fusions(modules[0]),
        last_fusions=_fusions(modules[-1]),
        parameters=_count(modules),
    )


def _blocks(module: nn.Module, branches: int) -> tuple[str, tuple[int, ...]]:
    """Kind of the blocks of a module, and how many each branch has."""
    layers = module.layers if hasattr(module, 'layers') else module.branches
    if isinstance(layers[0], ConditionalChannelWeighting):
        counts = (sum(i in b.out_branches for b in layers) for i in range(branches))
        return WEIGHTING, tuple(counts)
    rows = [list(x) if isinstance(x, nn.Sequential) else [] for x in layers]
    kinds = {type(block).__name__ for row in rows for block in row}
    if len(kinds) != 1 or kinds.isdisjoint(BLOCKS):
        raise UserError(f'blocks that cannot be drawn: {", ".join(sorted(kinds))}')
    return BLOCKS[kinds.pop()], tuple(map(len, rows))


def _fusions(module: nn.Module) -> tuple[tuple[int, int], ...]:
    rows = getattr(module, 'fuse_layers', None) or ()
    return tuple(
        (j, i)
        for i, row in enumerate(rows)
        if isinstance(row, nn.ModuleList)
        for j in range(len(row))
        if j != i
    )


def _head(net: LiteHRNet) -> tuple[tuple[int, int, int], ...]:
    projects = net.head_layer.projects
    last = net.arch.stages[-1].num_branches - 1
    return tuple(
        (
            last - k,
            project.depthwise_conv.conv.in_channels,
            project.pointwise_conv.conv.out_channels,
        )
        for k, project in enumerate(projects)
    )


def _weighting(module: nn.Module, stage: Stage) -> Weighting | None:
    if not stage.weighs_across:
        return None
    block = module.layers[0]
    cross = block.cross_resolution_weighting
    used = [x for x in block.depthwise_convs if not isinstance(x, nn.Identity)]
    gates = [x for x in block.spatial_weighting if not isinstance(x, nn.Identity)]
    return Weighting(
        halves=tuple(cross.channels),
        pooled=stage.sizes[-1],
        cross_hidden=cross.conv1.conv.out_channels,
        kernel=used[0].conv.kernel_size[0],
        spatial_hidden=tuple(gate.conv1.conv.out_channels for gate in gates),
    )


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
