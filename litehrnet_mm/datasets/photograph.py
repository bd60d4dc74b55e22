"""What a camera makes of a picture."""

from __future__ import annotations

from math import exp

import cv2
import numpy as np

Rng = np.random.Generator


def photograph(
    rng: Rng,
    image: np.ndarray,
    grain: float = 4.5,
    soft: float = 0.4,
    exposure: float = 1.0,
) -> np.ndarray:
    """Exposure, tint, softness and grain of a camera.

    Args:
        rng: Source of randomness.
        image: BGR in about 0..255, shape (H, W, 3), float32; it is not changed.
        grain: Greatest amount of grain, of 255 steps of grey.
        soft: Share of pictures that are a little out of focus.
        exposure: How much brightness and tint differ from picture to picture; 0 for
            not at all.

    Returns:
        The image as uint8.
    """
    gain = rng.uniform(0.82, 1.15) * (1 + rng.normal(0, 0.03, 3))
    gain = 1 + (gain - 1) * exposure
    offset = rng.uniform(-10, 12) * exposure
    image = image * gain.astype(np.float32) + np.float32(offset)
    if rng.random() < soft:
        image = _soften(image, rng.uniform(0.4, 0.9))
    noise = rng.integers(0, 256, (3, *image.shape[:2]), np.uint8)
    noise = noise.sum(0, dtype=np.float32) - np.float32(382.5)
    image += three(noise * np.float32(rng.uniform(0.5, grain) / 128))
    return cv2.convertScaleAbs(np.maximum(image, 0))


def _soften(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur of 3 by 3 pixels.

    OpenCV's own rounds differently from processor to processor.
    """
    side = exp(-0.5 / sigma**2)
    middle, side = np.float32(1 / (1 + 2 * side)), np.float32(side / (1 + 2 * side))
    for axis in (0, 1):
        margins = [(1, 1) if k == axis else (0, 0) for k in range(3)]
        padded = np.moveaxis(np.pad(image, margins, 'reflect'), axis, 0)
        blurred = padded[1:-1] * middle + (padded[:-2] + padded[2:]) * side
        image = np.moveaxis(blurred, 0, axis)
    return image


def three(channel: np.ndarray) -> np.ndarray:
    """Repeat a channel; NumPy is slow where it has to broadcast over the last axis."""
    return cv2.merge([channel] * 3)
