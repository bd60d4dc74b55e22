"""Annotations to draw, from what MMPose knows of persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def to_annotations(
    points: np.ndarray,
    visible: np.ndarray,
    corners: np.ndarray,
    raw: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> list[dict]:
    """Persons of a data sample, with what is known of visibility.

    Args:
        points: Keypoints in pixels, shape (N, K, 2).
        visible: Above 0 for labelled ones, shape (N, K).
        corners: Boxes as x1, y1, x2, y2, shape (N, 4).
        raw: COCO annotations of the persons. They tell hidden keypoints from visible
            ones; where they have other keypoints, all labelled ones are visible.
    """
    raw = raw or []
    raw = raw if isinstance(raw, (list, tuple)) else [raw]
    count = points.shape[1]
    if len(raw) == len(points) and all(has_keypoints(ann, count) for ann in raw):
        return [dict(keypoints=ann['keypoints'], bbox=ann['bbox']) for ann in raw]
    levels = 2 * (np.asarray(visible) > 0)
    return [
        dict(keypoints=np.column_stack([places, v]), bbox=to_xywh(box))
        for places, v, box in zip(points, levels, corners)
    ]


def has_keypoints(annotation: Mapping[str, Any], count: int) -> bool:
    """Whether a COCO annotation has some of the data set's keypoints."""
    values = annotation.get('keypoints') or []
    return 'bbox' in annotation and len(values) == 3 * count and any(values[2::3])


def to_xywh(corners: Sequence[float]) -> list[float]:
    """A box of two corners as x, y, width and height."""
    x1, y1, x2, y2 = (float(value) for value in corners)
    return [x1, y1, x2 - x1, y2 - y1]
