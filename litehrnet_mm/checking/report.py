"""What was found in all sets: for the terminal, and for a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litehrnet_mm.checking.findings import ERROR, LEVELS, WARNING
from litehrnet_mm.checking.inspection import Inspection
from litehrnet_mm.files import write_whole
from litehrnet_mm.values import printable


def count(inspections: Sequence[Inspection], level: str) -> int:
    """How many findings of a level there are in all sets."""
    return sum(x.findings.count(level) for x in inspections)


def as_text(inspections: Sequence[Inspection], shown: int) -> str:
    """All sets, and what it comes to.

    Args:
        inspections: One for each set.
        shown: Number of examples of each kind.
    """
    blocks = []
    for x in inspections:
        title = printable(f'{x.name}: {x.title}')
        parts = (title, x.table, x.findings.as_text(shown))
        blocks.append('\n'.join(filter(None, parts)))
    errors, warnings = count(inspections, ERROR), count(inspections, WARNING)
    return '\n\n'.join([*blocks, f'{errors} errors, {warnings} warnings'])


def write_report(inspections: Sequence[Inspection], path: Path) -> None:
    """Write all findings that are kept as JSON, and how many there are.

    Raises:
        UserError: If it cannot be written.
    """
    content: dict[str, Any] = {level: count(inspections, level) for level in LEVELS}
    content['sets'] = [
        dict(
            splits=list(x.splits),
            title=x.title,
            counts=dict(x.findings.counts),
            findings=x.findings.as_json(),
        )
        for x in inspections
    ]
    write_whole(path, json.dumps(content, indent=2).encode())
