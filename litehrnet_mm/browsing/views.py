"""Pictures of samples put together: side by side, with a key, on contact sheets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from litehrnet_mm.browsing.samples import Sample
from litehrnet_mm.visualization import make_grid, write_image
from litehrnet_mm.visualization.key import SWATCH, draw_key
from litehrnet_mm.visualization.pictures import font, join, pad

STAGES = ('original', 'transformed', 'both')
LARGE, SMALL = (640, 480), (320, 256)
"""Width and height that each view fits into, of a single picture and on a sheet."""

SHEET_WIDTH = 2000
"""Sheets have as many columns as fit into it if none are given, in pixels."""

SHEET_SAMPLES = 48
"""Samples on a sheet; what is more goes onto others."""

MARGIN = 24
"""White pixels on the right and below each sample of a sheet."""


@dataclass(frozen=True)
class View:
    """A picture.

    Attributes:
        picture: BGR uint8, shape (H, W, 3).
        shown: Which entries of a key it has something of.
    """

    picture: np.ndarray
    shown: set[int]


class Views(Protocol):
    """What draws samples of a data set.

    Attributes:
        key: Names of classes, or what marks mean, with a swatch of each.
    """

    key: list[tuple[str, np.ndarray]]

    def original(self, sample: Sample, size: tuple[int, int]) -> list[View]:
        """A sample as it is in the data set, not larger than a width and height."""

    def transformed(self, sample: Sample, size: tuple[int, int]) -> list[View]:
        """What a network gets and is to learn, each not larger than that."""


def describe(sample: Sample) -> str:
    """A caption for what a network gets: its size, and whether it is mirrored."""
    height, width = sample.image.shape[:2]
    return f'{width}×{height}{", flipped" if sample.data.get("flip") else ""}'


def draw_sample(
    views: Views, sample: Sample, stage: str, size: tuple[int, int]
) -> View:
    """The views of a sample side by side.

    Args:
        views: Draws them.
        sample: Of the data set.
        stage: One of ``STAGES``.
        size: Width and height that each is to fit into, in pixels.
    """
    found: list[View] = []
    if stage != 'transformed':
        found += views.original(sample, size)
    if stage != 'original':
        found += views.transformed(sample, size)
    shown = set().union(*(view.shown for view in found))
    return View(join(*(view.picture for view in found)), shown)


def with_key(view: View, views: Views) -> np.ndarray:
    """A picture above the entries of the key that it has something of."""
    entries = [views.key[k] for k in sorted(view.shown)]
    if not entries:
        return view.picture
    widest = max(font().getlength(name) for name, _ in entries) + 2 * SWATCH
    width = max(view.picture.shape[1], int(widest))
    columns = min(len(entries), int(width / widest))
    key = draw_key(entries, int(columns * widest), columns)
    width = max(width, key.shape[1])
    return np.vstack([pad(x, (width, len(x))) for x in (view.picture, key)])


@dataclass
class ContactSheets:
    """Samples in grids, each grid above its key.

    Attributes:
        folder: Where the sheets go.
        views: Drew the samples.
        columns: Samples side by side; as many as fit if not given.
        several: Whether the files have numbers.
        paths: The sheets that are written.
    """

    folder: Path
    views: Views
    columns: int | None
    several: bool
    paths: list[Path] = field(default_factory=list)
    waiting: list[View] = field(default_factory=list)

    def add(self, view: View) -> None:
        """Put a sample onto the sheet, and write that if it is full."""
        self.waiting.append(view)
        if len(self.waiting) == SHEET_SAMPLES:
            self.write()

    def write(self) -> None:
        """Write what is not written yet.

        Raises:
            UserError: If the file cannot be written.
        """
        if not self.waiting:
            return
        number = f'_{len(self.paths) + 1}' if self.several else ''
        path = self.folder / f'sheet{number}.jpg'
        write_image(path, with_key(self._grid(), self.views))
        self.paths.append(path)
        self.waiting.clear()

    def _grid(self) -> View:
        sizes = np.array([view.picture.shape[1::-1] for view in self.waiting])
        size = sizes.max(axis=0) + MARGIN
        columns = self.columns or max(1, SHEET_WIDTH // int(size[0]))
        tiles = [pad(view.picture, tuple(size)) for view in self.waiting]
        shown = set().union(*(view.shown for view in self.waiting))
        return View(make_grid(tiles, min(columns, len(tiles))), shown)


def picture_name(sample: Sample, length: int) -> str:
    """The name of a sample's file: its number, and the image's name.

    Args:
        sample: Of the data set.
        length: Of the data set.
    """
    stem = Path(sample.info['img_path']).stem
    return f'{sample.index:0{len(str(length))}}_{stem}.jpg'
