"""Ground truth and prediction side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from litehrnet_mm.visualization.pictures import PAPER, add_caption, join
from litehrnet_mm.visualization.poses import (
    PoseStyle,
    draw_people,
    line_width,
    scale_people,
)

MIN_HEIGHT, MAX_SIDE, MIN_WIDTH = 480, 1024, 460
"""Small images are enlarged to this height, large ones reduced to this longest side;
narrow ones get a margin, since captions need some width. In pixels."""


def compare_poses(
    image: np.ndarray,
    truth: Sequence[dict] | None,
    predicted: Sequence[dict],
    style: PoseStyle,
    left_out: int = 0,
) -> np.ndarray:
    """Draw the ground truth of an image beside what a network predicts.

    Args:
        image: BGR uint8, shape (H, W, 3).
        truth: Annotations as for :func:`~.poses.draw_people`, ``None`` if there are
            none to compare with: then the prediction is drawn alone.
        predicted: Predictions in the same form.
        style: Links and colours.
        left_out: How many predicted poses were too doubtful to be among them.

    Returns:
        One picture: the two, each below a caption.
    """
    height, width = image.shape[:2]
    scale = min(max(1, MIN_HEIGHT / height), MAX_SIDE / max(height, width))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, shape, interpolation=method)
    caption = f'prediction: {_count(predicted)}'
    if left_out:
        caption += f' ({left_out} doubtful not drawn)'
    if truth is None:
        caption += ', no ground truth'
    right = _panel(resized, scale_people(predicted, scale), style, caption)
    if truth is None:
        return right
    caption = f'ground truth: {_count(truth)}'
    left = _panel(resized, scale_people(truth, scale), style, caption)
    return join(left, right)


def _count(people: Sequence[dict]) -> str:
    number = len(people)
    return {0: 'none', 1: '1 pose'}.get(number, f'{number} poses')


def _panel(
    image: np.ndarray, people: list[dict], style: PoseStyle, caption: str
) -> np.ndarray:
    drawn = draw_people(image, people, style)
    missing = max(0, MIN_WIDTH - drawn.shape[1])
    sides = (missing // 2, missing - missing // 2)
    drawn = cv2.copyMakeBorder(drawn, 0, 0, *sides, cv2.BORDER_CONSTANT, value=PAPER)
    return add_caption(drawn, caption)


def compare_person(
    image: np.ndarray,
    truth: dict,
    predicted: Sequence[dict],
    style: PoseStyle,
    caption: str,
    size: int = 300,
) -> np.ndarray:
    """Draw one person's ground truth beside the prediction, cut out of the image.

    Args:
        image: BGR uint8, shape (H, W, 3).
        truth: An annotation with ``bbox``.
        predicted: Predictions for this person.
        style: Links and colours.
        caption: Goes over both.
        size: Width and height of each of the two in pixels.

    Returns:
        A picture of ``2 * size + GAP`` columns.
    """
    left, top, side = _square_around(truth, predicted, image.shape[:2])
    cut = cv2.resize(
        _cut_out(image, left, top, side),
        (size, size),
        interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC,
    )
    truths, found = (
        scale_people([_move(one, -left, -top) for one in people], size / side)
        for people in ([truth], predicted)
    )
    width = line_width(truths[0])
    panels = [draw_people(cut, people, style, width) for people in (truths, found)]
    return add_caption(join(*panels), caption)


def _square_around(
    person: dict, others: Sequence[dict], shape: tuple[int, int]
) -> tuple[int, int, int]:
    """Left, top and side of a square that shows a person, and predictions for it.

    It grows to hold the others' keypoints, but not beyond twice the person's box, and
    stays within an image of this shape where it can.
    """
    x, y, w, h = person['bbox']
    low, high = np.array([x, y], float), np.array([x + w, y + h], float)
    reach = np.array([w, h]) / 2
    least, most = low - reach, high + reach
    for other in others:
        points = np.array(other['keypoints'], dtype=float).reshape(-1, 3)
        for point in points[points[:, 2] > 0, :2]:
            low = np.maximum(np.minimum(low, point), least)
            high = np.minimum(np.maximum(high, point), most)
    # What lies outside the image cannot be seen anyway.
    low, high = (np.clip(corner, 0, shape[::-1]) for corner in (low, high))
    side = max(round(1.15 * float((high - low).max())), 1)
    left, top = np.round((low + high) / 2 - side / 2).astype(int).tolist()
    return _inside(left, side, shape[1]), _inside(top, side, shape[0]), side


def _inside(start: int, length: int, end: int) -> int:
    """Where to start so as not to reach beyond 0 and ``end``, or to be in between."""
    if length > end:
        return (end - length) // 2
    return min(max(start, 0), end - length)


def _cut_out(image: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of the image, grey beyond its borders."""
    height, width = image.shape[:2]
    rows = slice(max(top, 0), max(min(top + side, height), 0))
    cols = slice(max(left, 0), max(min(left + side, width), 0))
    cut = np.full((side, side, 3), 128, np.uint8)
    inside = image[rows, cols]
    y, x = rows.start - top, cols.start - left
    cut[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return cut


def _move(person: dict, dx: int, dy: int) -> dict:
    points = np.array(person['keypoints'], dtype=float).reshape(-1, 3)
    moved = dict(person, keypoints=points + np.array([dx, dy, 0]))
    if 'bbox' in person:
        x, y, w, h = person['bbox']
        moved['bbox'] = [x + dx, y + dy, w, h]
    return moved
