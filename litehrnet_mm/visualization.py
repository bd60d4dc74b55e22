"""Drawing of poses on images."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from litehrnet_mm.cli import UserError
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


def draw_people(
    image: np.ndarray, people: list[dict], thickness: int = 1
) -> np.ndarray:
    """Draw boxes and skeletons over an image.

    Args:
        image: BGR uint8, shape (H, W, 3); it is not changed.
        people: COCO annotations: ``keypoints`` (17 times x, y, v) and, if a box is to
            be drawn, ``bbox`` (x, y, width, height), in pixels.
        thickness: Of the lines, in pixels.

    Returns:
        A copy with a box around each person, lines between the labelled keypoints, a
        filled dot on each visible one (v = 2) and a ring on each hidden one (v = 1).
    """
    canvas = image.copy()
    for person in people:
        if 'bbox' in person:
            x, y, w, h = (round(value) for value in person['bbox'])
            corner = (x + w - 1, y + h - 1)
            cv2.rectangle(canvas, (x, y), corner, (255, 255, 255), 1)
        points = np.array(person['keypoints']).reshape(-1, 3)
        _draw_skeleton(canvas, points[:, :2], points[:, 2], thickness)
    return canvas


def _draw_skeleton(
    canvas: np.ndarray, points: np.ndarray, visible: np.ndarray, thickness: int
) -> None:
    # OpenCV takes sixteenths of a pixel as whole numbers with a shift of 4.
    fixed = [tuple(p) for p in np.round(points * 16).astype(int).tolist()]
    smooth = (cv2.LINE_AA, 4)
    for a, b in np.array(SKELETON) - 1:
        if visible[a] and visible[b]:
            cv2.line(canvas, fixed[a], fixed[b], link_colour(a, b), thickness, *smooth)
    for index, (point, v) in enumerate(zip(fixed, visible)):
        colour = link_colour(index, index)
        if v == 2:
            cv2.circle(canvas, point, 30 * thickness, colour, -1, *smooth)
        elif v == 1:
            cv2.circle(canvas, point, 34 * thickness, colour, thickness, *smooth)


def make_grid(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Join pictures of one size, row by row, with a white line between them.

    Args:
        tiles: BGR uint8, each of shape (H, W, 3); as many as fill all rows.
        columns: Pictures side by side.
    """
    white = (255, 255, 255)
    framed = [cv2.copyMakeBorder(t, 2, 2, 2, 2, 0, value=white) for t in tiles]
    rows = range(0, len(framed), columns)
    return np.vstack([np.hstack(framed[k : k + columns]) for k in rows])


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write a picture, making its folder if need be.

    Raises:
        UserError: If the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
    if not cv2.imwrite(str(path), image):
        raise UserError(f'cannot write {path}')
