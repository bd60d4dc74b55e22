"""Hints, from all persons of a set together, that left and right were swapped.

Whether one person faces the camera cannot be known from keypoints. But in most persons
all pairs lie the same way round, whichever that is; and where both eyes and the nose
are visible a face looks at the camera, so that the left eye is on the image's right.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from litehrnet_mm.checking.keypoints import Keypoints, same_name

ENOUGH = 20
"""Persons that a hint must rest on."""

RARE = 0.3
"""A part of persons below which what is usual in photographs is suspiciously rare."""

CLEAR = 0.1
"""Part of a person's width by which left and right must be apart to count."""


def side_hints(points: np.ndarray, keypoints: Keypoints) -> Iterator[tuple[str, str]]:
    """Say which pairs are probably swapped.

    Args:
        points: Keypoints ``(N, K, 3)`` of persons: x, y, visibility.
        keypoints: Their names and partners.

    Yields:
        What is swapped, and why it seems so.
    """
    pairs = _pairs(keypoints)
    if not len(points) or not pairs:
        return
    ways = _ways(points, pairs)
    total = ways.sum(axis=1)
    for column, (left, right) in enumerate(pairs):
        others = total - ways[:, column]
        judged = (ways[:, column] != 0) & (np.abs(others) >= 2)
        agree = (ways[:, column] * others > 0)[judged]
        if len(agree) >= ENOUGH and agree.mean() < RARE:
            yield (
                f'{keypoints.names[left]} and {keypoints.names[right]}',
                f'the other way round than the other pairs in '
                f'{100 * (1 - agree.mean()):.0f} % of {len(agree)} persons',
            )
    yield from _face_hint(points, keypoints)


def _pairs(keypoints: Keypoints) -> list[tuple[int, int]]:
    """Numbers of the left and the right keypoint of each pair."""
    return [
        (index, partner)
        for index, partner in enumerate(keypoints.partners)
        if partner != index and 'left' in keypoints.names[index].lower()
    ]


def _ways(points: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """For persons and pairs ``(N, P)``: 1 where left is further to the image's right.

    -1 where it is further to the left; 0 where the two are close, or not labelled.
    """
    left, right = np.array(pairs).T
    labelled = points[..., 2] > 0
    x = np.where(labelled, points[..., 0], np.nan)
    widths = np.where(labelled, points[..., 0], -np.inf).max(1) - np.where(
        labelled, points[..., 0], np.inf
    ).min(1)
    apart = np.nan_to_num(x[:, left] - x[:, right])
    clear = np.abs(apart) > CLEAR * np.maximum(widths, 1)[:, None]
    return np.where(clear, np.sign(apart), 0)


def _face_hint(points: np.ndarray, keypoints: Keypoints) -> Iterator[tuple[str, str]]:
    names = [same_name(name) for name in keypoints.names]
    if not {'nose', 'lefteye', 'righteye'} <= set(names):
        return
    nose, left, right = map(names.index, ('nose', 'lefteye', 'righteye'))
    seen = points[(points[:, [nose, left, right], 2] == 2).all(1)]
    usual = seen[:, left, 0] > seen[:, right, 0]
    if len(usual) >= ENOUGH and usual.mean() < RARE:
        yield (
            'all keypoints, or the eyes',
            f"the left eye is on the image's left in {100 * (1 - usual.mean()):.0f} % "
            f'of {len(usual)} faces',
        )
