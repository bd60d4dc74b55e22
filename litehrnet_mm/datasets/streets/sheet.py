"""Contact sheets of street scenes, and pictures of what a network makes of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.sheet import check_sheet_path
from litehrnet_mm.datasets.streets.classes import (
    CLASSES,
    PALETTE,
    colourise,
    to_train_ids,
)
from litehrnet_mm.datasets.streets.scene import render_street
from litehrnet_mm.decoding import open_picture, why
from litehrnet_mm.visualization import make_grid, read_image, write_image
from litehrnet_mm.visualization.key import colour_swatch, draw_key
from litehrnet_mm.visualization.pictures import add_caption


def write_street_sheet(
    path: str | os.PathLike,
    seed: int = 0,
    *,
    columns: int = 3,
    rows: int = 2,
    size: tuple[int, int] = (256, 128),
) -> None:
    """Write the first scenes of a set in a grid, each above its labels.

    Args:
        path: A ``.png`` or ``.jpg`` file.
        seed: Number of the set.
        columns: Scenes side by side.
        rows: Scenes one above the other.
        size: Width and height of an image in pixels.

    Raises:
        UserError: The name has another ending, or the file cannot be written.
    """
    path = check_sheet_path(path)
    tiles = []
    for index in range(columns * rows):
        image, label_ids = render_street(seed, index, size)
        tiles.append(np.vstack([image, colourise(to_train_ids(label_ids))]))
    grid = make_grid(tiles, columns)
    write_image(path, np.vstack([grid, make_legend(grid.shape[1])]))


def write_comparison(
    path: str | os.PathLike,
    images: Sequence[Path],
    truths: Sequence[Path],
    predictions: Sequence[Path],
    scale: int = 2,
) -> None:
    """Write images, true labels and predicted labels side by side, above a legend.

    Args:
        path: A ``.png`` or ``.jpg`` file.
        images: Image files.
        truths: For each, a file of train ids.
        predictions: For each, a file of label ids, as ``tools/test.py --out`` writes.
        scale: Enlargement.

    Raises:
        UserError: A file cannot be read, or ``path`` cannot be written.
    """
    tiles = []
    for files in zip(images, truths, predictions):
        image = read_image(files[0])
        truth, found = read_labels(files[1]), to_train_ids(read_labels(files[2]))
        # What is not evaluated is nobody's mistake.
        shown = np.where(truth == 255, truth, found)
        for tile in (image, colourise(truth), colourise(shown)):
            size = (scale * tile.shape[1], scale * tile.shape[0])
            tiles.append(cv2.resize(tile, size, interpolation=cv2.INTER_NEAREST))
    for k, title in enumerate(('image', 'ground truth', 'prediction')):
        tiles[k::3] = [add_caption(tile, title) for tile in tiles[k::3]]
    grid = make_grid(tiles, 3)
    write_image(path, np.vstack([grid, make_legend(grid.shape[1])]))


def read_labels(path: str | os.PathLike) -> np.ndarray:
    """Read a label map, uint8 of shape (H, W).

    Raises:
        UserError: If there is none, or it cannot be read.
    """
    try:
        with open_picture(path) as image:
            labels = np.asarray(image)  # of a picture with palette the index
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or why(error)
        raise UserError(f'label map {path} cannot be read: {reason}') from error
    if labels.ndim != 2:
        raise UserError(f'label map {path} cannot be read: it is no grey picture')
    return labels


def make_legend(width: int, columns: int | None = None) -> np.ndarray:
    """Names of the classes in their colours, in as many columns as there is room for.

    Args:
        width: In pixels.
        columns: Entries side by side; as many as fit if not given.
    """
    swatches = map(colour_swatch, PALETTE)
    return draw_key(list(zip(CLASSES, swatches)), width, columns or width // 130)
