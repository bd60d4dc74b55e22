"""A contact sheet: a grid of images, half of them with their annotations drawn in."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.people import render_people
from litehrnet_mm.datasets.skeleton import KEYPOINTS, SKELETON

LEFT, RIGHT, MIDDLE = (60, 200, 60), (50, 120, 255), (255, 190, 70)
"""Colours, BGR: green for the body's left, orange for its right, blue between."""


def link_colour(first: int, second: int) -> tuple[int, int, int]:
    """Colour of the link between two keypoints, numbered from 0."""
    names = (KEYPOINTS[first], KEYPOINTS[second])
    if all(name.startswith('left') for name in names):
        return LEFT
    if all(name.startswith('right') for name in names):
        return RIGHT
    return MIDDLE


def draw_annotations(image: np.ndarray, people: list[dict]) -> np.ndarray:
    """Draw boxes and skeletons over an image.

    Args:
        image: BGR uint8, shape (H, W, 3); it is not changed.
        people: Annotations as :func:`~.people.render_people` returns them.

    Returns:
        A copy with a box around each person, lines between the labelled keypoints, a
        filled dot on each visible one and a ring on each hidden one.
    """
    canvas = image.copy()
    for person in people:
        x, y, w, h = person['bbox']
        cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), (255, 255, 255), 1)
        points = np.array(person['keypoints']).reshape(-1, 3)
        fixed = [tuple(p) for p in np.round(points[:, :2] * 16).astype(int).tolist()]
        for a, b in SKELETON:
            if points[a - 1, 2] and points[b - 1, 2]:
                colour = link_colour(a - 1, b - 1)
                cv2.line(canvas, fixed[a - 1], fixed[b - 1], colour, 1, cv2.LINE_AA, 4)
        for index, (point, v) in enumerate(zip(fixed, points[:, 2])):
            colour = link_colour(index, index)
            if v == 2:
                cv2.circle(canvas, point, 30, colour, -1, cv2.LINE_AA, 4)
            elif v == 1:
                cv2.circle(canvas, point, 34, colour, 1, cv2.LINE_AA, 4)
    return canvas


def check_sheet_path(path: str | os.PathLike) -> Path:
    """Refuse a file name that is not that of a picture.

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
        if (index // columns + index) % 2:
            image = draw_annotations(image, people)
        tiles.append(cv2.copyMakeBorder(image, 2, 2, 2, 2, 0, value=(255, 255, 255)))
    lines = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
    if not cv2.imwrite(str(path), np.vstack(lines)):
        raise UserError(f'cannot write {path}')
