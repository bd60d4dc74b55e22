"""Drawing of poses on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Colour = tuple[int, int, int]

LEFT, RIGHT, MIDDLE = (60, 200, 60), (50, 120, 255), (255, 190, 70)
"""Colours, BGR: green for the body's left, orange for its right, blue between."""

WHITE = (255, 255, 255)

MIN_SCORE, SURE_SCORE = 0.3, 0.5
"""Predicted keypoints below the first are not drawn, below the second as unsure."""

# OpenCV takes sixteenths of a pixel as whole numbers with a shift of 4.
SMOOTH = (cv2.LINE_AA, 4)
FARTHEST = 1 << 20
"""Pixels from the corner of an image at which something is drawn at most."""


@dataclass(frozen=True)
class PoseStyle:
    """What a skeleton looks like; keypoints are numbered from 0, colours are BGR.

    Attributes:
        keypoint_colours: One for each keypoint.
        links: Pairs of keypoints that a line joins.
        link_colours: One for each link.
    """

    keypoint_colours: tuple[Colour, ...]
    links: tuple[tuple[int, int], ...]
    link_colours: tuple[Colour, ...]

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> PoseStyle:
        """The style that a data set of MMPose brings along.

        Args:
            meta: Its ``metainfo``, with ``keypoint_colors``, ``skeleton_links`` and
                ``skeleton_link_colors``; colours are RGB there.
        """
        return cls(
            keypoint_colours=_from_rgb(meta['keypoint_colors']),
            links=tuple((int(a), int(b)) for a, b in meta['skeleton_links']),
            link_colours=_from_rgb(meta['skeleton_link_colors']),
        )

    @classmethod
    def by_side(
        cls, names: Sequence[str], links: Sequence[tuple[int, int]]
    ) -> PoseStyle:
        """Colours by the sides that the keypoints' names tell.

        Args:
            names: Of the keypoints; those of a side begin with ``left`` or ``right``.
            links: Pairs of keypoints, numbered from 0.
        """
        return cls(
            keypoint_colours=tuple(_side_colour(name) for name in names),
            links=tuple(links),
            link_colours=tuple(_side_colour(names[a], names[b]) for a, b in links),
        )


def _from_rgb(colours: np.ndarray) -> tuple[Colour, ...]:
    return tuple(tuple(int(x) for x in colour[::-1]) for colour in colours)


def _side_colour(*names: str) -> Colour:
    if all(name.startswith('left') for name in names):
        return LEFT
    if all(name.startswith('right') for name in names):
        return RIGHT
    return MIDDLE


def as_annotation(
    keypoints: np.ndarray, scores: np.ndarray, bbox: Sequence[float] | None = None
) -> dict[str, Any]:
    """Write a predicted pose as an annotation to draw.

    Args:
        keypoints: Shape (K, 2), in pixels.
        scores: Confidence of each keypoint, shape (K,).
        bbox: x, y, width and height in pixels.

    Returns:
        What :func:`draw_people` takes: v is 0 for a keypoint below ``MIN_SCORE``, 1
        below ``SURE_SCORE``, 2 for the others; ``confidence`` are the scores.
    """
    levels = np.digitize(scores, (MIN_SCORE, SURE_SCORE))
    person: dict[str, Any] = dict(keypoints=np.column_stack([keypoints, levels]))
    person['confidence'] = np.asarray(scores, dtype=float)
    if bbox is not None:
        person['bbox'] = [float(value) for value in bbox]
    return person


def scale_people(people: Sequence[dict], scale: float) -> list[dict]:
    """Annotations for an image that was resized; whole coordinates are centres."""
    scaled = []
    for person in people:
        points = np.array(person['keypoints'], dtype=float).reshape(-1, 3)
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        copy = dict(person, keypoints=points)
        if 'bbox' in person:
            copy['bbox'] = [value * scale for value in person['bbox']]
        scaled.append(copy)
    return scaled


def draw_people(
    image: np.ndarray,
    people: Sequence[dict],
    style: PoseStyle,
    thickness: int | None = None,
) -> np.ndarray:
    """Draw boxes and skeletons over an image.

    Args:
        image: BGR uint8, shape (H, W, 3); it is not changed.
        people: COCO annotations: ``keypoints`` (K times x, y, v) and, if a box is to
            be drawn, ``bbox`` (x, y, width, height), in pixels; of a prediction
            ``confidence``, of each keypoint.
        style: Links and colours.
        thickness: Of the lines, in pixels. If not given, it follows each person's
            size.

    Returns:
        A copy with a box around each person, lines between the labelled keypoints, a
        filled dot on each visible one (v = 2) and a ring on each that is hidden or
        unsure (v = 1), where thick lines become thinner. A predicted one is a white
        ring with a dot in it, which grows with the confidence.
    """
    canvas = image.copy()
    for person in people:
        points = np.array(person['keypoints'], dtype=float).reshape(-1, 3)
        most = max(4, round(np.hypot(*canvas.shape[:2]) / 250))
        if 'bbox' in person:
            _draw_box(canvas, person['bbox'], max(1, most // 4))
        width = thickness or line_width(person, most)
        _draw_links(canvas, points[:, :2], points[:, 2], style, width)
        filled = (points[:, 2] == 2).astype(float)
        if 'confidence' in person:
            sure = (person['confidence'] - MIN_SCORE) / (1 - MIN_SCORE)
            filled = np.clip(sure, 0.15, 1)
        _draw_keypoints(canvas, points, filled, style, width)
    return canvas


def _draw_box(canvas: np.ndarray, bbox: Sequence[float], width: int) -> None:
    """Draw a box; what lies outside is drawn along the border."""
    x, y, w, h = (round(value) for value in bbox)
    most = np.array(canvas.shape[1::-1]) - 1
    corners = np.clip([(x, y), (x + w - 1, y + h - 1)], 0, most).tolist()
    cv2.rectangle(canvas, *corners, WHITE, width)


def line_width(person: dict, most: int = 4) -> int:
    """Thickness of lines for a person's size, in pixels: 1 for a hundred."""
    if 'bbox' in person:
        size = np.hypot(*person['bbox'][2:4])
    else:
        points = np.array(person['keypoints'], dtype=float).reshape(-1, 3)
        drawn = points[points[:, 2] > 0, :2]
        size = np.hypot(*np.ptp(drawn, axis=0)) if len(drawn) else 0
    return int(np.clip(round(size / 130), 1, most))


def _fixed(points: np.ndarray) -> list[tuple[int, int]]:
    """Points for OpenCV, in sixteenths of a pixel, none beyond what it can draw."""
    near = np.clip(points, -FARTHEST, FARTHEST)
    return [tuple(p) for p in np.round(near * 16).astype(int).tolist()]


def _draw_links(
    canvas: np.ndarray,
    points: np.ndarray,
    visible: np.ndarray,
    style: PoseStyle,
    thickness: int,
) -> None:
    fixed = _fixed(points)
    for (a, b), colour in zip(style.links, style.link_colours):
        if visible[a] and visible[b]:
            sure = visible[a] == visible[b] == 2
            width = thickness if sure else (thickness + 1) // 2
            width = min(width, _finest(np.hypot(*(points[a] - points[b]))))
            cv2.line(canvas, fixed[a], fixed[b], colour, width, *SMOOTH)


def _draw_keypoints(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    filled: np.ndarray,
    style: PoseStyle,
    thickness: int,
) -> None:
    """Draw dots and rings; ``filled`` is a dot's radius, as a part of the ring's."""
    points, visible = keypoints[:, :2], keypoints[:, 2]
    spaces = _room(points, visible)
    drawn = zip(_fixed(points), visible, filled, style.keypoint_colours, spaces)
    for point, v, part, colour, space in drawn:
        size = min(thickness, _finest(space))
        if v and 0 < part < 1:  # what a dot does not fill shows against the lines
            cv2.circle(canvas, point, 34 * size, WHITE, -1, *SMOOTH)
        if v and part:
            cv2.circle(canvas, point, round(30 * size * part), colour, -1, *SMOOTH)
        if v and part < 1:
            cv2.circle(canvas, point, 34 * size, colour, (size + 1) // 2, *SMOOTH)


def _room(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Distance of each keypoint to the nearest other that is drawn, shape (K,)."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    apart[:, visible == 0] = np.inf
    np.fill_diagonal(apart, np.inf)
    return apart.min(axis=1)


def _finest(space: float) -> int:
    """The most thickness that keeps eyes, ears and fingers apart, at this distance."""
    return int(np.clip(space / 6, 1, 99))
