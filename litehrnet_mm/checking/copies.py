"""Mended copies of all sets that were looked through, never in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from litehrnet_mm.checking.findings import KINDS
from litehrnet_mm.checking.inspection import DataSet, Inspection
from litehrnet_mm.cli import UserError

UNMENDED = ('keypoint-order', 'flip-pair', 'empty')
"""Kinds of errors that no copy can be mended of."""


def check_copy(out: Path, is_file: bool, sets: Sequence[DataSet]) -> None:
    """Make sure that a copy is a new one, before long work.

    Args:
        out: Where it is to be written.
        is_file: Whether it is an annotation file; otherwise it is a folder.
        sets: What it is a copy of.

    Raises:
        UserError: If there is something, it lies in the data, or is no ``.json``.
    """
    if os.path.lexists(out):
        raise UserError(f'--fix writes a new copy, and {out} exists: give another name')
    if is_file != (out.suffix == '.json'):
        wanted = 'a .json file' if is_file else 'a folder'
        raise UserError(f'--fix writes {wanted} here, got {out}')
    for folder in (folder for one in sets for folder in one.folders()):
        if folder.resolve() in out.resolve().parents:
            raise UserError(f'--fix {out} lies in the data, in {folder}: give another')


def write_copies(
    sets: Sequence[DataSet], inspections: Sequence[Inspection], out: Path
) -> list[str]:
    """Write mended copies; what was changed and what was not, line by line.

    Args:
        sets: All sets.
        inspections: What came of looking through each.
        out: An annotation file of a single set; otherwise a folder.

    Raises:
        UserError: If nothing usable is left of a set, or it cannot be written.
    """
    lines = []
    for one, inspection, path in zip(sets, inspections, _places(sets, out)):
        lines += one.mend(inspection, path)
        lines += [
            f'    not mended: {KINDS[kind][1]}'
            for kind in UNMENDED
            if inspection.findings.of(kind)
        ]
    return lines


def _places(sets: Sequence[DataSet], out: Path) -> list[Path]:
    """Where the copy of each set is: by its split, with a number from 2 on."""
    if out.suffix == '.json':
        return [out]
    names = [one.splits[0] for one in sets]
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [out / (f'{x}_{n}' if n > 1 else x) for x, n in zip(names, counts)]
