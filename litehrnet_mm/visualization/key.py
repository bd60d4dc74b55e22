"""A key below pictures: what colours and marks mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from litehrnet_mm.visualization.pictures import CAPTION_HEIGHT, PAPER, add_caption

SWATCH = CAPTION_HEIGHT
"""Width and height of a colour or mark with the white around it, in pixels."""


def colour_swatch(colour: Sequence[int]) -> np.ndarray:
    """A square in a colour, which is RGB."""
    swatch = np.full((SWATCH, SWATCH, 3), PAPER, np.uint8)
    swatch[5:-5, 5:-5] = colour[::-1]
    return swatch


def draw_key(
    entries: Sequence[tuple[str, np.ndarray]], width: int, columns: int
) -> np.ndarray:
    """Draw names beside their swatches.

    Args:
        entries: At least one.
        width: Of the key, in pixels.
        columns: Entries side by side, if there is room for more than one.
    """
    columns = max(1, columns)
    cell = width // columns
    cells = []
    for name, swatch in entries:
        blank = np.zeros((0, cell - SWATCH, 3), np.uint8)
        cells.append(np.hstack([swatch, add_caption(blank, name)]))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)]
    key = np.full((len(rows) * SWATCH, width, 3), PAPER, np.uint8)
    key[:, : columns * cell] = np.vstack(rows)
    return key
