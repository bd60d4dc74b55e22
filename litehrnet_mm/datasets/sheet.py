"""Contact sheets: images of a set in a grid, with annotations or predictions."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.people import render_people
from litehrnet_mm.datasets.skeleton import KEYPOINTS, SKELETON
from litehrnet_mm.datasets.writing import ANNOTATIONS, IMAGES
from litehrnet_mm.visualization import (
    PoseStyle,
    draw_people,
    make_grid,
    read_image,
    write_image,
)

STYLE = PoseStyle.by_side(KEYPOINTS, [(a - 1, b - 1) for a, b in SKELETON])
"""What the skeletons of people look like."""


def check_sheet_path(path: str | os.PathLike) -> Path:
    """Refuse a file name that is not that of a picture.

    Args:
        path: The name.

    Raises:
        UserError: The name does not end in ``.png``, ``.jpg`` or ``.jpeg``.
    """
    path = Path(path)
    if path.suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise UserError(f'contact sheet {path}: the name must end in .png or .jpg')
    return path


def write_contact_sheet(
    path: str | os.PathLike,
    seed: int = 0,
    *,
    columns: int = 4,
    rows: int = 3,
    size: tuple[int, int] = (320, 256),
    persons: tuple[int, int] = (1, 4),
) -> None:
    """Write a grid of the first images of a set, every other one annotated.

    Args:
        path: A ``.png`` or ``.jpg`` file.
        seed: Number of the set.
        columns: Images side by side.
        rows: Images one above the other.
        size: Width and height of an image in pixels.
        persons: Least and greatest number of persons in an image.

    Raises:
        UserError: The name has another ending, or the file cannot be written.
    """
    path = check_sheet_path(path)
    tiles = []
    for index in range(columns * rows):
        image, people = render_people(seed, index, size, persons)
        if (index // columns + index % columns) % 2:
            image = draw_people(image, people, STYLE, thickness=1)
        tiles.append(image)
    write_image(path, make_grid(tiles, columns))


def write_prediction_sheet(
    path: str | os.PathLike,
    data_root: str | os.PathLike,
    results: str | os.PathLike,
    *,
    columns: int = 4,
    rows: int = 2,
    scale: int = 2,
    min_score: float = 0.3,
) -> None:
    """Write a grid of a set's first images with predicted poses drawn over them.

    Args:
        path: A ``.png`` or ``.jpg`` file.
        data_root: A set as :func:`~.writing.make_people` writes it.
        results: Predictions in COCO's format of keypoint results (JSON).
        columns: Images side by side.
        rows: Images one above the other.
        scale: Enlargement of the images.
        min_score: Keypoints below this score are not drawn.

    Raises:
        UserError: If ``path`` has another ending, or cannot be written.
    """
    path, root = check_sheet_path(path), Path(data_root)
    truth = json.loads((root / ANNOTATIONS).read_text(encoding='utf-8'))
    people: dict[int, list[dict]] = defaultdict(list)
    for result in json.loads(Path(results).read_text(encoding='utf-8')):
        points = np.array(result['keypoints']).reshape(-1, 3)
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        points[:, 2] = np.where(points[:, 2] >= min_score, 2, 0)
        people[result['image_id']].append(dict(keypoints=points))
    tiles = []
    for entry in truth['images'][: columns * rows]:
        image = read_image(root / IMAGES / entry['file_name'])
        image = cv2.resize(image, None, fx=scale, fy=scale)
        tiles.append(draw_people(image, people[entry['id']], STYLE, thickness=scale))
    write_image(path, make_grid(tiles, columns))
