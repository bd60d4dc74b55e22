"""What a network is made of, as numbers: stem, stages, fusions, head, outputs."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]
"""Height and width in pixels."""

WEIGHTING, SHUFFLE, RESIDUAL = (
    'conditional channel weighting',
    'shuffle block',
    'residual block',
)


@dataclass(frozen=True)
class Step:
    """A part of the stem: what it is, its channels and the size of its output."""

    name: str
    channels: int
    size: Size


@dataclass(frozen=True)
class Stage:
    """Modules that share their branches.

    Attributes:
        name: Of the submodule, e.g. ``stage0``.
        modules: Number of modules.
        block: Kind of block, e.g. :data:`WEIGHTING`.
        blocks: For each branch, the number of blocks in a module.
        channels: Of each branch, the highest resolution first.
        sizes: Of each branch.
        fusions: ``(source, target)`` for each pair of branches that a module fuses.
        last_fusions: The same of the last module, which may leave some out.
        parameters: Of all modules.
    """

    name: str
    modules: int
    block: str
    blocks: tuple[int, ...]
    channels: tuple[int, ...]
    sizes: tuple[Size, ...]
    fusions: tuple[tuple[int, int], ...]
    last_fusions: tuple[tuple[int, int], ...]
    parameters: int

    @property
    def weighs_across(self) -> bool:
        """Whether each block looks at all branches."""
        return self.block == WEIGHTING


@dataclass(frozen=True)
class Weighting:
    """The layers of one conditional channel weighting block.

    Attributes:
        halves: Channels of each branch that are weighted.
        pooled: Size that H averages all branches down to.
        cross_hidden: Channels of H's hidden layer.
        kernel: Side of the depthwise convolution's kernel.
        spatial_hidden: Channels of F's hidden layer, of each branch.
    """

    halves: tuple[int, ...]
    pooled: Size
    cross_hidden: int
    kernel: int
    spatial_hidden: tuple[int, ...]


@dataclass(frozen=True)
class Architecture:
    """A network.

    Attributes:
        name: What to call it.
        image: Channels, height and width of the input.
        stem: What comes before the stages.
        stages: The stages.
        head: For each branch of the iterative head, the lowest resolution first,
            ``(branch, channels in, channels out)``; empty without a head.
        outputs: ``(branch, channels, size)`` of each output.
        weighting: A block of the last stage, if it is :data:`WEIGHTING`.
        fusion: ``'released'`` or ``'plain'``, see
            :class:`~litehrnet_mm.models.module.Fusion`.
        upsampling: Of fusions, e.g. ``'nearest'``.
        stem_parameters: Of the stem.
        head_parameters: Of the iterative head, 0 without one.
        parameters: Of the whole backbone, with what leads from stage to stage.
    """

    name: str
    image: tuple[int, int, int]
    stem: tuple[Step, ...]
    stages: tuple[Stage, ...]
    head: tuple[tuple[int, int, int], ...]
    outputs: tuple[tuple[int, int, Size], ...]
    weighting: Weighting | None
    fusion: str
    upsampling: str
    stem_parameters: int
    head_parameters: int
    parameters: int


def stage_rows(facts: Architecture) -> list[list[str]]:
    """Header and rows of a table: stem, stages, head."""
    rows = [['part', 'modules', 'blocks in each', 'channels', 'sizes', 'parameters']]
    total = facts.parameters - facts.stem_parameters - facts.head_parameters
    stem = facts.stem[-1]
    count = f'{facts.stem_parameters:,}'
    rows.append(
        ['stem', '', '', str(stem.channels), '×'.join(map(str, stem.size)), count]
    )
    for number, stage in enumerate(facts.stages, 2):
        cells = [str(stage.modules), str(max(stage.blocks)), *_branches(stage)]
        rows.append([f'stage {number}', *cells, f'{stage.parameters:,}'])
        total -= stage.parameters
    rows.append(['transitions', '', '', '', '', f'{total:,}'])
    if facts.head:
        widths = ', '.join(str(width) for _, _, width in reversed(facts.head))
        sizes = _branches(facts.stages[-1])[1]
        rows.append(['head', '', '', widths, sizes, f'{facts.head_parameters:,}'])
    return [*rows, ['all', '', '', '', '', f'{facts.parameters:,}']]


def _branches(stage: Stage) -> tuple[str, str]:
    """Channels and sizes of a stage's branches."""
    sizes = ', '.join(f'{height}×{width}' for height, width in stage.sizes)
    return ', '.join(map(str, stage.channels)), sizes
