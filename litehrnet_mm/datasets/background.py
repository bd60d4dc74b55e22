"""Textured places for people to stand in."""

from __future__ import annotations

from typing import Callable

import cv2
import numpy as np

Rng = np.random.Generator


def sample_background(rng: Rng, width: int, height: int) -> np.ndarray:
    """Draw a place: a wall or open view, mostly with a floor.

    Args:
        rng: Source of randomness.
        width: Width in pixels.
        height: Height in pixels.

    Returns:
        BGR in 0..255, shape (height, width, 3), float32.
    """
    view = VIEWS[rng.integers(len(VIEWS))]
    image = view(rng, width, height)
    if rng.random() < 0.75:
        _lay_floor(rng, image)
    shade = smooth_noise(rng, width, height, 3, 1)
    image = np.clip(image * (1 + rng.uniform(0.05, 0.25) * shade), 0, 255)
    return image.astype(np.float32, copy=False)


def muted(rng: Rng) -> np.ndarray:
    """Draw a quiet BGR colour, shape (3,), float32."""
    grey = rng.uniform(70, 215)
    return np.clip(grey + rng.normal(0, 17, 3), 20, 245).astype(np.float32)


def smooth_noise(rng: Rng, width: int, height: int, cells: int, channels: int):
    """Bicubic value noise in about -1..1, shape (height, width, channels)."""
    grid = rng.random((cells + 2, cells + 2, channels), np.float32) * 2 - 1
    noise = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return noise.reshape(height, width, channels)


def octaves(rng: Rng, width: int, height: int, cells: int = 4, count: int = 4):
    """Fractal noise in about -1..1, shape (height, width, 1)."""
    half = (width + 1) // 2, (height + 1) // 2  # fine enough, and a third of the time
    total = smooth_noise(rng, *half, cells, 1)
    for k in range(1, count):
        total += smooth_noise(rng, *half, cells * 2**k, 1) * np.float32(0.6**k)
    return 0.5 * cv2.resize(total, (width, height))[..., None]


def _gradient(rng: Rng, width: int, height: int) -> np.ndarray:
    corners = np.stack([muted(rng) for _ in range(4)]).reshape(2, 2, 3)
    image = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return image + 14 * octaves(rng, width, height, 8, 3)


def _plaster(rng: Rng, width: int, height: int) -> np.ndarray:
    image = np.full((height, width, 3), muted(rng), np.float32)
    return image + rng.uniform(10, 40) * octaves(rng, width, height, 3, 5)


def _clouds(rng: Rng, width: int, height: int) -> np.ndarray:
    low, high = muted(rng), muted(rng)
    mix = np.clip(octaves(rng, width, height, 3, 4) + 0.5, 0, 1)
    return low * mix + high * (1 - mix)


def _bricks(rng: Rng, width: int, height: int) -> np.ndarray:
    tall, offset = int(rng.integers(7, 26)), rng.random() < 0.7
    wide = int(tall * rng.uniform(1.0, 3.0))
    joint = 1 if tall < 14 else 2
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    row = y // tall
    x = x + (row % 2) * (wide // 2 if offset else 0)
    tone = rng.normal(0, rng.uniform(3, 16), (height // tall + 1, width // wide + 2))
    image = muted(rng) + tone.astype(np.float32)[row, x // wide][..., None]
    image[((y % tall) < joint) | ((x % wide) < joint)] = muted(rng)
    return image.astype(np.float32) + 10 * octaves(rng, width, height, 12, 2)


def _stripes(rng: Rng, width: int, height: int) -> np.ndarray:
    angle, period = rng.choice([0, np.pi / 2, rng.uniform(0, 3)]), rng.uniform(10, 60)
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    phase = (x * np.cos(angle) + y * np.sin(angle)) / period
    first = muted(rng)
    second = first + rng.normal(0, 25, 3).astype(np.float32)
    image = np.where((phase % 1 < rng.uniform(0.2, 0.6))[..., None], first, second)
    return image.astype(np.float32) + 8 * octaves(rng, width, height, 10, 2)


def _foliage(rng: Rng, width: int, height: int) -> np.ndarray:
    green = np.array([rng.uniform(40, 80), rng.uniform(90, 140), rng.uniform(50, 100)])
    image = np.full((height, width, 3), green * 0.7, np.float32)
    count = 160
    centres = rng.integers(0, [width, height], (count, 2)).tolist()
    sizes = rng.integers(4, 20, (count, 2)).tolist()
    turns = rng.integers(0, 180, count).tolist()
    tones = (green * rng.uniform(0.5, 1.35, (count, 1))).tolist()
    for centre, size, turn, tone in zip(centres, sizes, turns, tones):
        cv2.ellipse(image, centre, size, turn, 0, 360, tone, -1)
    return cv2.GaussianBlur(image, (5, 5), rng.uniform(0.6, 1.8))


def _landscape(rng: Rng, width: int, height: int) -> np.ndarray:
    sky, haze = np.float32([225, 180, 130]), np.float32([235, 228, 220])
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    clouds = np.clip(octaves(rng, width, height, 3, 4), 0, 1)
    image = (sky + (haze - sky) * np.minimum(ramp * 1.4, 1)) * (
        1 - clouds
    ) + 245 * clouds
    x = np.arange(width)
    for depth in range(int(rng.integers(1, 4))):
        tone = np.array([110, 125, 100]) * rng.uniform(0.6, 1.2) + 30 - 20 * depth
        knots = rng.random(8) * 0.25 + 0.28 + 0.1 * depth
        ridge = height * np.interp(x, np.linspace(0, width, 8), knots)
        outline = np.concatenate(
            [[[0, height]], np.stack([x, ridge], 1), [[width, height]]]
        )
        cv2.fillPoly(image, [outline.astype(np.int32)], tone.tolist())
    return image + 8 * octaves(rng, width, height, 8, 3)


def _houses(rng: Rng, width: int, height: int) -> np.ndarray:
    image = _gradient(rng, width, height)
    left = 0
    while left < width:
        right = left + int(rng.integers(40, 110))
        top = int(height * rng.uniform(-0.1, 0.35))
        wall, pane = muted(rng), muted(rng) * 0.6
        cv2.rectangle(image, (left, top), (right, height), wall.tolist(), -1)
        step, size = int(rng.integers(16, 30)), int(rng.integers(6, 12))
        for y in range(top + 8, height, step):
            for x in range(left + 6, right - size, step):
                corner = (x + size, y + int(size * 1.4))
                cv2.rectangle(image, (x, y), corner, pane.tolist(), -1)
        left = right
    return image + 8 * octaves(rng, width, height, 10, 2)


def _room(rng: Rng, width: int, height: int) -> np.ndarray:
    image = _plaster(rng, width, height)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.integers(0, width), rng.integers(0, height // 2)
        w, h = rng.integers(30, 90), rng.integers(30, 90)
        frame, inside = muted(rng) * 0.7, muted(rng)
        end = (int(x + w), int(y + h))
        cv2.rectangle(image, (int(x), int(y)), end, inside.tolist(), -1)
        cv2.rectangle(
            image, (int(x), int(y)), end, frame.tolist(), int(rng.integers(2, 6))
        )
    return image


def _lay_floor(rng: Rng, image: np.ndarray) -> None:
    """Cover the lower part with a floor, in place."""
    height, width = image.shape[:2]
    horizon = int(height * rng.uniform(0.5, 0.8))
    depth = height - horizon
    base = muted(rng)
    ramp = np.linspace(0.8, 1.1, depth, dtype=np.float32)[:, None, None]
    floor = np.full((depth, width, 3), base, np.float32) * ramp
    floor += 18 * octaves(rng, width, depth, 6, 3)
    if rng.random() < 0.45:  # tiles or boards in perspective
        near = np.linspace(0.25, 1, depth)[:, None]
        x = (np.arange(width)[None] - width * rng.uniform(0.3, 0.7)) / near
        size = rng.uniform(24, 60)
        rows = np.floor(6 / near) if rng.random() < 0.6 else np.zeros_like(near)
        odd = (np.floor(x / size) + rows) % 2 == 0
        floor[odd] += rng.uniform(-22, 22)
    image[horizon:] = floor
    if rng.random() < 0.5:
        image[horizon - 3 : horizon] = base * 0.7


VIEWS: tuple[Callable[[Rng, int, int], np.ndarray], ...] = (
    _gradient,
    _plaster,
    _clouds,
    _bricks,
    _stripes,
    _foliage,
    _landscape,
    _houses,
    _room,
)
