"""Blocks close up: what is in each box of the figure of a network."""

from __future__ import annotations

from collections.abc import Sequence

from litehrnet_mm.analysis.architecture import (
    RESIDUAL,
    SHUFFLE,
    WEIGHTING,
    Architecture,
)
from litehrnet_mm.visualization.diagram import TEXT, Diagram, branch_colours, text_width

CROSS, SPATIAL = ('#fdf0c2', '#a07800'), ('#fadadd', '#b03a48')
"""Colours of H and F."""

HEIGHT, STEP, LONG_STEP = 0.76, 0.42, 1.2
"""Of a box of two lines, and the length of an arrow between boxes, also in a block."""

OTHERS = 0.46
"""Between the arrows from other branches."""

TOP = 1.8
"""Of the drawing, where the line of the first boxes is 0."""

SIDE = 0.62
"""How far the passing half runs above the other."""


def draw_weighting(diagram: Diagram, facts: Architecture) -> tuple[float, float]:
    """Draw conditional channel weighting; bottom and top of the drawing."""
    block, stage = facts.weighting, facts.stages[-1]
    _, edge = branch_colours(0)
    half, kernel = block.halves[0], block.kernel
    _draw_title(diagram, 'Conditional channel weighting', facts)
    end = _draw_split(diagram, stage.channels[0], half)
    cross = end + LONG_STEP + 0.5
    end = _draw_chain(
        diagram,
        (end, -SIDE),
        [
            ('H', CROSS),
            (f'{kernel}×{kernel} depthwise\n{half}', branch_colours(0)),
            ('F', SPATIAL),
        ],
        edge,
    )
    _draw_join(diagram, end, (stage.channels[0], half))
    _draw_others(diagram, facts, cross)
    _draw_cross(diagram, facts)
    _draw_spatial(diagram, facts)
    return -4.55, TOP


def _draw_others(diagram: Diagram, facts: Architecture, x: float) -> None:
    """Draw what H takes from the other branches, below it."""
    halves, foot = facts.weighting.halves, -SIDE - 0.95
    first = x - OTHERS * (len(halves) - 2) / 2
    for branch, half in enumerate(halves[1:], 1):
        _, colour = branch_colours(branch)
        place = first + OTHERS * (branch - 1)
        diagram.arrow((place, foot), (place, -SIDE - HEIGHT / 2), colour)
        diagram.text((place, foot - 0.15), str(half), weight='bold', color=colour)
    if len(halves) > 1:
        note = 'from the other branches'
        place = first + OTHERS * (len(halves) - 1)
        diagram.text((place, foot - 0.15), note, ha='left', color='#555555')


def _draw_cross(diagram: Diagram, facts: Architecture) -> None:
    """Draw H."""
    block, y = facts.weighting, -2.75
    height, across = block.pooled
    total = sum(block.halves)
    _draw_name(diagram, y, 'H', 'cross-resolution weighting', CROSS)
    gates = ' · '.join(map(str, block.halves))
    end = _draw_chain(
        diagram,
        (4.0, y),
        [
            (f'average pooling\nall to {height}×{across}', CROSS),
            (f'concat\n{total}', CROSS),
            (f'1×1 conv, ReLU\n{block.cross_hidden}', CROSS),
            (f'1×1 conv, sigmoid\n{total}', CROSS),
            (f'split, upsample nearest\n{gates}', CROSS),
        ],
        CROSS[1],
        STEP,
    )
    _draw_product(diagram, end, y, CROSS[1])


def _draw_spatial(diagram: Diagram, facts: Architecture) -> None:
    """Draw F."""
    block, y = facts.weighting, -3.85
    half, hidden = block.halves[0], block.spatial_hidden[0]
    _draw_name(diagram, y, 'F', 'spatial weighting', SPATIAL)
    end = _draw_chain(
        diagram,
        (4.0, y),
        [
            (f'global average\n{half}×1×1', SPATIAL),
            (f'1×1 conv, ReLU\n{hidden}', SPATIAL),
            (f'1×1 conv, sigmoid\n{half}', SPATIAL),
        ],
        SPATIAL[1],
        STEP,
    )
    _draw_product(diagram, end, y, SPATIAL[1])


def draw_shuffle(diagram: Diagram, facts: Architecture) -> tuple[float, float]:
    """Draw the shuffle block of the naive nets; bottom and top of the drawing."""
    channels = facts.stages[-1].channels[0]
    half = channels // 2
    _draw_title(diagram, 'Shuffle block', facts)
    end = _draw_split(diagram, channels, half)
    colours = branch_colours(0)
    parts = [f'1×1 conv, ReLU\n{half}', f'3×3 depthwise\n{half}']
    parts.append(parts[0])
    boxes = [(text, colours) for text in parts]
    end = _draw_chain(diagram, (end, -SIDE), boxes, colours[1])
    _draw_join(diagram, end, (channels, half))
    return -1.3, TOP


def draw_residual(diagram: Diagram, facts: Architecture) -> tuple[float, float]:
    """Draw the basic block of HRNet; bottom and top of the drawing."""
    channels = facts.stages[-1].channels[0]
    _draw_title(diagram, 'Residual block', facts)
    tint, edge = branch_colours(0)
    diagram.text((0.5, 0), str(channels), weight='bold', color=edge)
    boxes = [
        (f'3×3 conv, ReLU\n{channels}', (tint, edge)),
        (f'3×3 conv\n{channels}', (tint, edge)),
    ]
    end = _draw_chain(diagram, (0.75, 0), boxes, edge)
    middle = end + STEP + 0.15
    diagram.path([(1.0, 0), (1.0, SIDE), (middle, SIDE), (middle, 0.15)], edge)
    diagram.arrow((end, 0), (middle - 0.15, 0), edge)
    diagram.operator((middle, 0), '+', edge)
    diagram.arrow((middle + 0.15, 0), (middle + 0.6, 0), edge)
    text = f'ReLU, {channels}'
    diagram.text((middle + 0.7, 0), text, ha='left', weight='bold', color=edge)
    return -0.75, TOP


CLOSE_UPS = {WEIGHTING: draw_weighting, SHUFFLE: draw_shuffle, RESIDUAL: draw_residual}
"""What draws a kind of block."""


def _draw_title(diagram: Diagram, name: str, facts: Architecture) -> None:
    stage = facts.stages[-1]
    stride = round(facts.image[1] / stage.sizes[0][0])
    place = f'a block of stage {len(facts.stages) + 1}, on the branch of 1/{stride}'
    diagram.text((0.15, 1.3), name, ha='left', size=11.5, weight='bold')
    offset = 0.15 + text_width(name, 11.5, 'bold') + 0.3
    diagram.text((offset, 1.3), place, ha='left', size=TEXT + 0.5, color='#555555')


def _draw_name(
    diagram: Diagram, y: float, letter: str, name: str, colours: tuple[str, str]
) -> None:
    """Name a row of boxes: the letter that stands for it above, and its words."""
    diagram.box((0.5, y), (0.55, 0.55), letter, colours, size=TEXT + 3, weight='bold')
    diagram.text((0.95, y), name, ha='left', size=TEXT + 0.5)


def _draw_split(diagram: Diagram, channels: int, half: int) -> float:
    """Draw how the channels part; where the halves begin."""
    tint, edge = branch_colours(0)
    diagram.text((0.4, 0), str(channels), weight='bold', color=edge, size=TEXT + 1)
    diagram.arrow((0.68, 0), (1.05, 0), edge)
    diagram.box((1.4, 0), (0.7, HEIGHT), 'split', (tint, edge))
    corner = 2.05
    diagram.path([(1.75, 0), (corner, 0), (corner, -SIDE)], edge, head=False)
    for y in (-SIDE, SIDE):
        place = (corner + LONG_STEP / 2, y + 0.2)
        diagram.text(place, str(half), color=edge, weight='bold')
    return corner


def _draw_chain(
    diagram: Diagram,
    start: tuple[float, float],
    boxes: Sequence[tuple[str, tuple[str, str]]],
    colour: str,
    step: float = LONG_STEP,
) -> float:
    """Draw boxes (text, colours) in a row, as wide as their texts; where they end."""
    x, y = start
    for text, colours in boxes:
        diagram.arrow((x, y), (x + step, y), colour)
        large = dict(size=TEXT + 3, weight='bold') if len(text) == 1 else {}
        width = max(text_width(text) + 0.3, 1)
        diagram.box((x + step + width / 2, y), (width, HEIGHT), text, colours, **large)
        x += step + width
    return x


def _draw_product(diagram: Diagram, x: float, y: float, colour: str) -> None:
    """Draw that what a row of boxes gives is multiplied with what it took."""
    diagram.arrow((x, y), (x + STEP, y), colour)
    diagram.operator((x + STEP + 0.15, y), '×', colour)
    diagram.text((x + STEP + 0.4, y), 'its input', ha='left')


def _draw_join(diagram: Diagram, x: float, channels: tuple[int, int]) -> None:
    """Draw how the halves come together."""
    colours = branch_colours(0)
    edge, whole = colours[1], channels[0]
    corner, left = x + 0.3, x + 0.62
    diagram.path([(x, -SIDE), (corner, -SIDE), (corner, -0.14), (left, -0.14)], edge)
    points = [(2.05, 0), (2.05, SIDE), (corner, SIDE), (corner, 0.14), (left, 0.14)]
    diagram.path(points, edge)
    diagram.box((left + 0.5, 0), (1.0, HEIGHT), f'concat\n{whole}', colours)
    diagram.arrow((left + 1.0, 0), (left + 1.0 + STEP, 0), edge)
    middle = left + 1.0 + STEP + 0.75
    diagram.box((middle, 0), (1.5, HEIGHT), 'channel\nshuffle', colours)
    end = middle + 0.75
    diagram.arrow((end, 0), (end + STEP, 0), edge)
    text = dict(weight='bold', color=edge, size=TEXT + 1)
    diagram.text((end + STEP + 0.12, 0), str(whole), ha='left', **text)
