"""Parts of the figure of a network: stages, iterative head and outputs."""

from __future__ import annotations

from litehrnet_mm.analysis.architecture import Architecture, Stage
from litehrnet_mm.visualization.diagram import TEXT, Diagram, branch_colours

ROW = 1.25
"""Distance between branches. Lengths are in units of the diagram."""

BOX = 0.56
BLOCK_STEP = 0.78
"""From block to block of a branch."""

FUSION_WIDTH, GAP, STEM_GAP = 1.15, 0.8, 0.4
"""Of the arrows of a fusion, between stages, and between the parts of the stem."""


def branch_y(branch: int) -> float:
    """Where a branch is drawn."""
    return -branch * ROW


def draw_heading(diagram: Diagram, x: float, title: str, note: str) -> None:
    """Write what something is above the first branch."""
    y = BOX / 2 + 0.58
    style = dict(va='baseline')
    diagram.text((x, y), title, size=TEXT + 1.5, weight='bold', **style)
    diagram.text((x, y - 0.28), note, color='#555555', **style)


def draw_stage(
    diagram: Diagram, stage: Stage, sources: dict[int, float], x: float, number: int
) -> float:
    """Draw one module of a stage within a frame; where it ends.

    Args:
        diagram: Where to draw.
        stage: The stage.
        sources: For each branch of the stage before, where it ends.
        x: Where the stage begins.
        number: Of the stage, as in the paper, where the stem is the first.
    """
    branches = range(len(stage.channels))
    most = max((*stage.blocks, 1))
    ends = x + (most - 1) * BLOCK_STEP + BOX
    sums = ends + FUSION_WIDTH if stage.fusions else ends
    right = sums + (0.32 if stage.fusions else 0.15)
    bottom = branch_y(len(stage.channels) - 1) - BOX / 2 - 0.2
    diagram.frame(x - 0.2, bottom, right - x + 0.2, BOX / 2 + 0.2 - bottom)
    for branch in branches:
        _, edge = branch_colours(branch)
        _draw_entry(diagram, sources, branch, x)
        for k in range(stage.blocks[branch]):
            middle = (x + k * BLOCK_STEP + BOX / 2, branch_y(branch))
            text = str(stage.channels[branch])
            diagram.box(middle, (BOX, BOX), text, branch_colours(branch), size=TEXT + 1)
            if k:
                start = (middle[0] - BLOCK_STEP + BOX / 2, branch_y(branch))
                diagram.arrow(start, (middle[0] - BOX / 2, branch_y(branch)), edge)
    if stage.weighs_across:
        _draw_crossing(diagram, stage, x, most)
    _draw_fusion(diagram, stage, ends, sums)
    times = f'{stage.modules} module{"s" * (stage.modules > 1)}'
    middle = (x - 0.2 + right) / 2
    draw_heading(diagram, middle, f'stage {number}', times)
    if stage.last_fusions != stage.fusions:
        note = f'last module: {len(stage.last_fusions)} of {len(stage.fusions)} fusions'
        diagram.text((middle, bottom - 0.2), note, color='#555555')
    return right


def _draw_entry(
    diagram: Diagram, sources: dict[int, float], branch: int, x: float
) -> None:
    """What brings a branch into a stage; a new one comes from the coarsest."""
    source = min(branch, max(sources))
    _, edge = branch_colours(source)
    start = (sources[source], branch_y(source))
    if source == branch:
        diagram.arrow(start, (x, branch_y(branch)), edge)
        return
    corner = sources[source] + GAP * 0.3
    diagram.path(
        [start, (corner, start[1]), (corner, branch_y(branch)), (x, branch_y(branch))],
        edge,
    )


def _draw_crossing(diagram: Diagram, stage: Stage, x: float, count: int) -> None:
    """The weights that a block's branches compute together, as a line through them."""
    last = branch_y(len(stage.channels) - 1)
    for k in range(count):
        middle = x + k * BLOCK_STEP + BOX / 2
        line = [(middle, 0), (middle, last)]
        diagram.arrow(*line, '#444444', head=False, lw=2.2, ls=(0, (1, 1)), zorder=1)


def _draw_fusion(diagram: Diagram, stage: Stage, start: float, end: float) -> None:
    """Draw each branch into each sum, in the colour of where it comes from."""
    if not stage.fusions:
        return
    targets = {target for _, target in stage.fusions}
    for branch in range(len(stage.channels)):
        _, edge = branch_colours(branch)
        if branch in targets:
            diagram.arrow(
                (start, branch_y(branch)), (end - 0.15, branch_y(branch)), edge
            )
            diagram.operator((end, branch_y(branch)), '+', edge)
            diagram.arrow(
                (end, branch_y(branch)),
                (end + 0.32, branch_y(branch)),
                edge,
                head=False,
            )
    for source, target in stage.fusions:
        _, edge = branch_colours(source)
        up = target < source
        place = (end - 0.11, branch_y(target) + (-0.1 if up else 0.1))
        diagram.arrow((start, branch_y(source)), place, edge, lw=1)


def draw_head(diagram: Diagram, facts: Architecture, x: float) -> float:
    """Draw the iterative head, from the lowest resolution up; where it ends."""
    x += GAP
    sums, boxes = x + 0.15, x + 1.0
    for k, (branch, _, width) in enumerate(facts.head):
        y, (_, edge) = branch_y(branch), branch_colours(branch)
        first = k == 0
        start = (x - GAP, y)
        diagram.arrow(start, ((boxes - BOX / 2) if first else x, y), edge)
        if not first:
            diagram.operator((sums, y), '+', edge)
            diagram.arrow((sums + 0.15, y), (boxes - BOX / 2, y), edge)
            below = facts.head[k - 1][0]
            _, colour = branch_colours(below)
            middle = (branch_y(below) + y) / 2 + 0.08
            points = [
                (boxes, branch_y(below) + BOX / 2),
                (boxes, middle),
                (sums, middle),
            ]
            diagram.path([*points, (sums, y - 0.15)], colour)
        colours = branch_colours(branch)
        diagram.box((boxes, y), (BOX, BOX), str(width), colours, size=TEXT + 1)
    draw_heading(diagram, x + 0.6, 'head', 'iterative')
    return boxes + BOX / 2


def draw_outputs(diagram: Diagram, facts: Architecture, x: float) -> None:
    """Draw an arrow for each output, with its channels and size."""
    for branch, channels, (height, width) in facts.outputs:
        _, edge = branch_colours(branch)
        diagram.arrow((x, branch_y(branch)), (x + 0.45, branch_y(branch)), edge, lw=1.6)
        place = (x + 0.52, branch_y(branch))
        text = f'{channels}\n{height}×{width}'
        diagram.text(place, text, ha='left', weight='bold', color=edge)
