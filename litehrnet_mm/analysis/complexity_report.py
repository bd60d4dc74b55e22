"""One network's complexity, as text and as data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litehrnet_mm.analysis.complexity import Complexity, Stage
from litehrnet_mm.analysis.tables import amount, text_table

STAGE_HEADER = (
    'part',
    'parameters',
    'MACs',
    'MACs, layers once',
    'activations',
    'output',
)


def complexity_text(name: str, complexity: Complexity) -> str:
    """Totals and the table of the parts.

    Args:
        name: What was measured.
        complexity: The counts.
    """
    channels, height, width = complexity.input_shape
    totals = {
        'parameters': complexity.parameters,
        'MACs as executed': complexity.macs,
        'MACs, each layer once': complexity.macs_once,
        'activations': complexity.activations,
    }
    longest = max(map(len, totals))
    lines = [name, f'{"input":{longest}}  {channels}×{height}×{width} (C×H×W)']
    lines += [
        f'{label:{longest}}  {value:,} ({amount(value)})'
        for label, value in totals.items()
    ]
    if complexity.not_counted:
        lines.append(
            'too low: no rule counts the products within '
            f'{", ".join(complexity.not_counted)}'
        )
    rows = [STAGE_HEADER, *map(_stage_row, complexity.stages)]
    note = (
        'For one image. M = 10⁶, G = 10⁹; one MAC is a multiplication and an addition.'
    )
    return '\n'.join([*lines, '', text_table(rows, '<>>>><'), '', note])


def _stage_row(stage: Stage) -> tuple[str, ...]:
    shapes = ['×'.join(map(str, shape)) for shape in stage.output_shapes]
    numbers = (stage.parameters, stage.macs, stage.macs_once, stage.activations)
    return (stage.name, *(f'{n:,}' for n in numbers), ', '.join(shapes))


def complexity_data(name: str, complexity: Complexity) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    return dict(config=name, **asdict(complexity))
