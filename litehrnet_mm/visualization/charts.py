"""Charts and drawings of matplotlib: how they look, and as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from litehrnet_mm.cli import UserError, make_folder

SUFFIXES = ('.png', '.svg', '.pdf')

COLOURS = (
    '#1b7837',
    '#0072b2',
    '#d55e00',
    '#7b3294',
    '#c9a000',
    '#56b4e9',
    '#a6425b',
    '#4d4d4d',
)
"""Of curves, one after another; told apart by the colour-blind, too."""


def figure_path(text: str) -> Path:
    """Read the name of a picture to write, as the ``type`` of an option.

    Raises:
        ArgumentTypeError: If its suffix is none that is written.
    """
    path = Path(text)
    if path.suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(
            f'must end in one of {", ".join(SUFFIXES)}, got {text}'
        )
    return path


def open_sides(axes: Axes) -> None:
    """Leave the frame of a chart open at the top and at the right."""
    axes.spines[['top', 'right']].set_visible(False)


def save_figure(
    figure: Figure, path: Path, dpi: int = 120, description: str = ''
) -> None:
    """Write a figure as PNG, SVG or PDF, as the suffix says.

    Args:
        figure: What was drawn.
        path: The file; the folder it lies in is made if need be.
        dpi: Pixels per inch of a PNG.
        description: A text for the file's metadata, in a PDF its subject.

    Raises:
        UserError: If it cannot be written.
    """
    make_folder(path.parent)
    kind = path.suffix.lower()
    metadata = {'Subject' if kind == '.pdf' else 'Description': description or None}
    # The same drawing is the same file.
    if kind != '.png':
        metadata['CreationDate' if kind == '.pdf' else 'Date'] = None
    if not description and kind == '.png':
        metadata = {}
    try:
        with rc_context({'svg.hashsalt': path.stem}):
            figure.savefig(path, dpi=dpi, metadata=metadata)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
