"""Things that stand in front of people: crates, posts, plants and railings."""

from __future__ import annotations

from typing import Callable

import cv2
import numpy as np

from litehrnet_mm.datasets.background import muted

Rng = np.random.Generator
SHIFT = 4


def sample_occluder(rng: Rng, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw something in the foreground.

    Args:
        rng: Source of randomness.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        BGR in 0..255, shape (height, width, 3), uint8, and coverage in 0..255, shape
        (height, width), uint8.
    """
    colour = np.zeros((height, width, 3), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    KINDS[rng.integers(len(KINDS))](rng, colour, mask)
    return colour, mask


def _fill(colour, mask, polygon, tone) -> None:
    points = [np.round(np.asarray(polygon) * 2**SHIFT).astype(np.int32)]
    bgr = np.clip(tone, 0, 255).tolist()
    # The colour reaches a little further than the mask, so that edges blend cleanly.
    cv2.polylines(colour, points, True, bgr, 3, cv2.LINE_8, SHIFT)
    cv2.fillPoly(colour, points, bgr, cv2.LINE_8, SHIFT)
    cv2.fillPoly(mask, points, 255, cv2.LINE_AA, SHIFT)


def _rectangle(colour, mask, x0, y0, x1, y1, tone) -> None:
    _fill(colour, mask, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], tone)


def _crate(rng: Rng, colour, mask) -> None:
    height, width = mask.shape
    w, h = width * rng.uniform(0.12, 0.3), height * rng.uniform(0.12, 0.26)
    x, y = rng.uniform(-0.3 * w, width - 0.7 * w), height * rng.uniform(0.84, 1.02) - h
    tone, lid = muted(rng), 0.18 * h
    _rectangle(colour, mask, x, y, x + w, y + h, tone)
    top = [(x, y), (x + w, y), (x + w - lid, y - lid), (x + lid, y - lid)]
    _fill(colour, mask, top, tone * 1.2)
    if rng.random() < 0.6:
        for k in range(1, 4):
            line = y + h * k / 4
            _rectangle(colour, mask, x, line - 0.8, x + w, line + 0.8, tone * 0.7)


def _post(rng: Rng, colour, mask) -> None:
    height, width = mask.shape
    w, x = width * rng.uniform(0.015, 0.05), width * rng.uniform(0.05, 0.95)
    top = height * rng.uniform(-0.2, 0.3)
    bottom = height * rng.uniform(0.9, 1.1)
    tone = muted(rng) * 0.8
    _rectangle(colour, mask, x, top, x + w, bottom, tone)
    _rectangle(colour, mask, x + 0.6 * w, top, x + w, bottom, tone * 0.75)
    _rectangle(colour, mask, x - 0.5 * w, bottom - w, x + 1.5 * w, bottom, tone * 0.7)


def _plant(rng: Rng, colour, mask) -> None:
    height, width = mask.shape
    x, base = width * rng.uniform(0.05, 0.95), height * rng.uniform(0.9, 1.05)
    size = height * rng.uniform(0.12, 0.26)
    pot = size * 0.28
    green = np.array([rng.uniform(30, 80), rng.uniform(100, 165), rng.uniform(40, 100)])
    for angle in rng.permutation(np.linspace(-1.25, 1.25, 17)):
        length = size * rng.uniform(0.7, 1.1)
        along = np.array([np.sin(angle), -np.cos(angle)]) * length
        side = np.array([-along[1], along[0]]) * rng.uniform(0.09, 0.15)
        root = np.array([x, base - pot])
        leaf = [
            root,
            root + 0.5 * along + side,
            root + along,
            root + 0.5 * along - side,
        ]
        _fill(colour, mask, leaf, green * rng.uniform(0.6, 1.25))
    wall = [(x - pot, base - 1.3 * pot), (x + pot, base - 1.3 * pot)]
    wall += [(x + 0.7 * pot, base), (x - 0.7 * pot, base)]
    _fill(colour, mask, wall, muted(rng))


def _railing(rng: Rng, colour, mask) -> None:
    height, width = mask.shape
    x0 = width * rng.uniform(-0.1, 0.6)
    x1 = x0 + width * rng.uniform(0.25, 0.5)
    bottom = height * rng.uniform(0.9, 1.0)
    top, bar = bottom - height * rng.uniform(0.15, 0.3), height * 0.012
    tone = muted(rng) * 0.7
    for x in np.arange(x0, x1, width * rng.uniform(0.05, 0.09)):
        _rectangle(colour, mask, x, top, x + bar, bottom, tone * 0.85)
    for y in (top, bottom - 3 * bar):
        _rectangle(colour, mask, x0 - bar, y, x1 + bar, y + 1.6 * bar, tone)


KINDS: tuple[Callable[..., None], ...] = (_crate, _post, _plant, _railing)
