"""The figure of a network: its branches over its stages, and one block close up."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from litehrnet_mm.analysis.architecture import Architecture
from litehrnet_mm.analysis.tables import amount
from litehrnet_mm.visualization.architecture_blocks import CLOSE_UPS
from litehrnet_mm.visualization.architecture_stages import (
    GAP,
    ROW,
    STEM_GAP,
    branch_y,
    draw_head,
    draw_heading,
    draw_outputs,
    draw_stage,
)
from litehrnet_mm.visualization.charts import save_figure
from litehrnet_mm.visualization.diagram import (
    PLAIN,
    TEXT,
    UNIT,
    Diagram,
    branch_colours,
    text_width,
)

STEP_HEIGHT = 0.92
MARGIN = 0.15
"""At the left and the right of everything."""


def draw_architecture(facts: Architecture, path: Path, dpi: int = 125) -> None:
    """Draw a network.

    The facts are in the file, too: as the description of a PNG or SVG, as the subject
    of a PDF.

    Args:
        facts: What it is made of.
        path: PNG, SVG or PDF.
        dpi: Pixels per inch of a PNG.

    Raises:
        UserError: If the file cannot be written.
    """
    figure = Figure()
    upper, lower = (Diagram(figure.add_axes((0, k, 1, 1))) for k in (0.5, 0))
    low_bottom, low_top = CLOSE_UPS[facts.stages[-1].block](lower, facts)
    bottom, top = _draw_network(upper, facts, lower.right)
    width = upper.right + MARGIN
    lower.arrow((MARGIN, low_top), (width - MARGIN, low_top), '#d8dbde', head=False)
    lower.show(width, low_bottom, low_top)
    upper.show(width, bottom, top)
    low_height, height = low_top - low_bottom, top - bottom
    total = low_height + height
    figure.set_size_inches(width * UNIT, total * UNIT)
    upper.axes.set_position((0, low_height / total, 1, height / total))
    lower.axes.set_position((0, 0, 1, low_height / total))
    description = json.dumps(asdict(facts), ensure_ascii=False)
    save_figure(figure, path, dpi, description)


def _draw_network(
    diagram: Diagram, facts: Architecture, least: float
) -> tuple[float, float]:
    """Draw all branches and stages, so wide at least; bottom and top of the drawing."""
    x = _draw_stem(diagram, facts, _draw_names(diagram, facts))
    sources = {0: x}
    for number, stage in enumerate(facts.stages, 2):
        x = draw_stage(diagram, stage, sources, x + GAP, number)
        sources = dict.fromkeys(range(len(stage.channels)), x)
    draw_outputs(diagram, facts, draw_head(diagram, facts, x) if facts.head else x)
    rows = len(facts.stages[-1].channels)
    top, bottom = 1.95, -(rows - 1) * ROW - 1.9
    _draw_legend(diagram, facts, bottom + 0.85)
    _draw_title(diagram, facts, top - 0.4, least)
    return bottom, top


def _draw_title(diagram: Diagram, facts: Architecture, y: float, least: float) -> None:
    """Draw name, input and parameters, so far apart at least."""
    widest = max(diagram.right, least)
    channels, height, across = facts.image
    text = f'input {channels}×{height}×{across}, {amount(facts.parameters)} parameters'
    large, grey = dict(size=13, weight='bold'), dict(size=TEXT + 1, color='#555555')
    diagram.text((MARGIN, y), facts.name, ha='left', **large)
    name = text_width(facts.name, **large)
    right = max(widest, MARGIN + name + 0.5 + text_width(text, TEXT + 1))
    diagram.text((right, y), text, ha='right', **grey)


def _draw_names(diagram: Diagram, facts: Architecture) -> float:
    """Name the resolution of each branch at the left; where the names end."""
    for branch, (height, across) in enumerate(facts.stages[-1].sizes):
        _, edge = branch_colours(branch)
        stride = round(facts.image[1] / height)
        large = dict(size=TEXT + 2.5, weight='bold', color=edge)
        diagram.text(
            (MARGIN, branch_y(branch) + 0.15), f'1/{stride}', ha='left', **large
        )
        place = (MARGIN, branch_y(branch) - 0.18)
        diagram.text(place, f'{height}×{across}', ha='left', color='#555555')
    return diagram.right + 0.2


def _draw_stem(diagram: Diagram, facts: Architecture, x: float) -> float:
    """Draw the steps of the stem on the first row, from x on; where they end."""
    start = x + STEM_GAP
    for step in facts.stem:
        wide = text_width(step.name) + 0.25
        diagram.arrow((x, 0), (x + STEM_GAP, 0))
        finished = step.size == facts.stages[0].sizes[0]
        colours = branch_colours(0) if finished else PLAIN
        middle = (x + STEM_GAP + wide / 2, 0)
        text = f'{step.name}\n{step.channels}'
        diagram.box(middle, (wide, STEP_HEIGHT), text, colours)
        x += STEM_GAP + wide
    draw_heading(diagram, (start + x) / 2, 'stem', '')
    return x


def _draw_legend(diagram: Diagram, facts: Architecture, y: float) -> None:
    """Explain boxes and arrows below, in as many lines as it takes."""
    lines = [
        f'Boxes of a stage: {facts.stages[-1].block}, with its channels.'
        + ' Dotted: each block weighs all branches together (H).'
        * facts.stages[-1].weighs_across,
        f'Arrows between branches: 1×1 convolution and {facts.upsampling} upsampling '
        '(up), strided 3×3 convolutions (down).',
        f'+: the {"released " * (facts.fusion == "released")}sum, then ReLU.'
        + ' Boxes of the head: 3×3 depthwise and 1×1 convolution, and bilinear '
        'upsampling.' * bool(facts.head),
    ]
    for k, line in enumerate(lines):
        diagram.text((MARGIN, y - 0.3 * k), line, ha='left', color='#444444')
