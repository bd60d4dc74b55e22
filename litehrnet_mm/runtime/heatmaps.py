"""Keypoints from heatmaps, with the results of MMPose's codecs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np


def decode(
    heatmaps: np.ndarray, codec: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Find keypoints.

    Args:
        heatmaps: ``(N, K, H, W)``.
        codec: Of MMPose: ``MSRAHeatmap``, also ``unbiased`` (DARK, Zhang et al., 2020),
            or ``UDPHeatmap`` of Gaussians.

    Returns:
        Keypoints ``(N, K, 2)`` in pixels of the network's input, scores ``(N, K)``.

    Raises:
        ValueError: For another codec.
    """
    points, scores = _maxima(heatmaps)
    kind, size = codec['type'], np.array(codec['heatmap_size'], np.float64)
    kernel = codec.get('blur_kernel_size', 11)
    if kind == 'MSRAHeatmap':
        if codec.get('unbiased'):
            points = _refine_dark(points, _blurred(heatmaps, kernel, 1e-10, None))
        else:
            points = _refine_quarter(points, heatmaps)
        return points * codec['input_size'] / size, scores
    if kind == 'UDPHeatmap' and codec.get('heatmap_type', 'gaussian') == 'gaussian':
        points = _refine_udp(points, _blurred(heatmaps, kernel, 1e-3, 50))
        return points / (size - 1) * codec['input_size'], scores
    raise ValueError(f'heatmaps of the codec {kind} cannot be decoded here')


def flip_back(heatmaps: np.ndarray, pairs: list[int], shift: bool) -> np.ndarray:
    """Bring heatmaps ``(N, K, H, W)`` of a mirrored image back.

    Args:
        heatmaps: Of the mirrored image.
        pairs: For each keypoint the one it is mirrored to.
        shift: Move them right by a pixel, which aligns them where the input's size is
            a multiple of the heatmaps'.
    """
    flipped = heatmaps[:, pairs, :, ::-1].copy()
    if shift:
        flipped[..., 1:] = flipped[..., :-1].copy()
    return flipped


def _maxima(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (x, y) and values of the maxima; -1 where no heat is."""
    flat = heatmaps.reshape(*heatmaps.shape[:2], -1)
    y, x = np.divmod(flat.argmax(axis=2), heatmaps.shape[-1])
    scores = flat.max(axis=2)
    points = np.stack((x, y), axis=-1).astype(np.float64)
    points[scores <= 0] = -1
    return points, scores


def _at(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at places, the border's beyond it."""
    n, k = np.ogrid[: maps.shape[0], : maps.shape[1]]
    x, y = (np.clip(v, 0, side - 1) for v, side in zip((x, y), maps.shape[:1:-1]))
    return maps[n, k, y, x]


def _places(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.moveaxis(points.astype(np.int64), -1, 0)
    return x, y


def _refine_quarter(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    height, width = maps.shape[-2:]
    x, y = _places(points)
    dx = np.where((x > 1) & (x < width - 1) & (y > 0), _slope(maps, x, y, 1, 0), 0)
    dy = np.where((y > 1) & (y < height - 1) & (x > 0), _slope(maps, x, y, 0, 1), 0)
    return points + 0.25 * np.sign(np.stack((dx, dy), axis=-1))


def _slope(
    maps: np.ndarray, x: np.ndarray, y: np.ndarray, dx: int, dy: int
) -> np.ndarray:
    return _at(maps, x + dx, y + dy) - _at(maps, x - dx, y - dy)


def _blurred(
    heatmaps: np.ndarray, kernel: int, lowest: float, highest: float | None
) -> np.ndarray:
    """Logarithm of blurred heatmaps that keep their maxima."""
    out = np.empty(heatmaps.shape, np.float32)
    for index in np.ndindex(*heatmaps.shape[:2]):
        found = cv2.GaussianBlur(
            heatmaps[index], (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT
        )
        out[index] = found * (heatmaps[index].max() / found.max())
    return np.log(np.clip(out, lowest, highest))


def _refine_dark(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    height, width = maps.shape[-2:]
    x, y = _places(points)
    gradient = 0.5 * np.stack(
        (_slope(maps, x, y, 1, 0), _slope(maps, x, y, 0, 1)), axis=-1
    )
    here = _at(maps, x, y)
    dxx = 0.25 * (_at(maps, x + 2, y) - 2 * here + _at(maps, x - 2, y))
    dyy = 0.25 * (_at(maps, x, y + 2) - 2 * here + _at(maps, x, y - 2))
    same = _at(maps, x + 1, y + 1) + _at(maps, x - 1, y - 1)
    dxy = 0.25 * (same - _at(maps, x + 1, y - 1) - _at(maps, x - 1, y + 1))
    inner = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    inner &= dxx * dyy - dxy**2 != 0
    hessian = np.stack((dxx, dxy, dxy, dyy), axis=-1).reshape(*x.shape, 2, 2)
    hessian[~inner] = np.eye(2)
    step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
    return points - np.where(inner[..., None], step, 0)


def _refine_udp(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    x, y = _places(points)
    here = _at(maps, x, y)
    right, left = _at(maps, x + 1, y), _at(maps, x - 1, y)
    below, above = _at(maps, x, y + 1), _at(maps, x, y - 1)
    gradient = 0.5 * np.stack((right - left, below - above), axis=-1)
    dxx, dyy = right - 2 * here + left, below - 2 * here + above
    corners = _at(maps, x + 1, y + 1) + _at(maps, x - 1, y - 1)
    dxy = 0.5 * (corners - right - below + 2 * here - left - above)
    hessian = np.stack((dxx, dxy, dxy, dyy), axis=-1).reshape(*x.shape, 2, 2)
    hessian = hessian + np.finfo(np.float32).eps * np.eye(2)
    return points - np.linalg.solve(hessian, gradient[..., None])[..., 0]
