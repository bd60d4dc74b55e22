"""A perspective z-buffer that is painted with flat patches.

The world is in metres: ``x`` right, ``y`` up, ``z`` along the road; the ground is
``y = 0``. All arithmetic is elementwise, in double precision and without SIMD
transcendentals, so that the same scene gives the same bytes on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, floor, radians, sin
from typing import Callable, Union

import cv2
import numpy as np

from litehrnet_mm.datasets.body import cross

SAMPLES = 3
"""Samples per pixel along each axis; odd, so that one is at its centre."""

NEAR = 0.3
"""Metres; what is closer to the camera is not drawn."""

Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""BGR of shape (N, 3) at positions (N,) on a patch, in metres from its corner."""

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Where a patch exists, bool; positions broadcast against each other."""

Alpha = Union[float, Callable[[np.ndarray, np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class Camera:
    """A camera above the road.

    Attributes:
        focal: Focal length in image widths.
        height: Metres above the ground.
        yaw: Degrees to the right of the road's direction.
        pitch: Degrees downwards.
        roll: Degrees, clockwise.
    """

    focal: float
    height: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def axes(self) -> np.ndarray:
        """Right, down and forward as rows, shape (3, 3)."""
        (cy, sy), (cp, sp), (cr, sr) = (
            (cos(radians(a)), sin(radians(a)))
            for a in (self.yaw, self.pitch, self.roll)
        )
        right = np.array([cy, 0, -sy])
        forward = np.array([sy * cp, -sp, cy * cp])
        down = np.array([-sy * sp, -cp, -cy * sp])
        return np.array([cr * right + sr * down, cr * down - sr * right, forward])


@dataclass(frozen=True)
class Light:
    """Where the light comes from.

    Attributes:
        sun: Direction to the sun, of length 1, shape (3,).
        strength: Brightness that the sun adds to what faces it.
        ambient: Brightness of what it does not reach.
    """

    sun: np.ndarray
    strength: float
    ambient: float

    @property
    def overcast(self) -> bool:
        """Whether clouds leave no shadows."""
        return self.strength < 0.15

    def tone(self, normal: np.ndarray) -> float:
        """Brightness of a surface with this normal."""
        sky = self.ambient * (1 + 0.15 * float(normal[1]))
        return sky + self.strength * max(0.0, float(normal @ self.sun))


class View:
    """What the camera sees: distance, label id and colour of every sample.

    Args:
        width: Of the image in pixels.
        height: Of the image in pixels.
        camera: Where it is seen from.
        light: What lights it.
    """

    def __init__(self, width: int, height: int, camera: Camera, light: Light) -> None:
        self.camera, self.light = camera, light
        self.axes = camera.axes()
        self.position = np.array([0.0, camera.height, 0.0])
        self.focal = camera.focal * width * SAMPLES
        self.centre = np.array([width * SAMPLES / 2, height * SAMPLES / 2])
        shape = (height * SAMPLES, width * SAMPLES)
        self.depth = np.full(shape, np.inf)
        self.label = np.zeros(shape, np.uint8)
        self.colour = np.zeros((*shape, 3))
        self.sunless, self.below = np.zeros((2, *shape), np.uint8)

    def rays(self) -> list[np.ndarray]:
        """Components x, y and z of the rays through all samples, (H, W) each."""
        height, width = self.depth.shape
        x = (np.arange(width) + 0.5 - self.centre[0]) / self.focal
        y = (np.arange(height)[:, None] + 0.5 - self.centre[1]) / self.focal
        return [self._along(axis, x, y) for axis in np.eye(3)]

    def project(self, point: np.ndarray) -> np.ndarray:
        """Column, row and distance, shape (3,); whole coordinates are edges."""
        right, down, depth = self.axes @ (point - self.position)
        scale = self.focal / depth
        column, row = self.centre
        return np.array([column + right * scale, row + down * scale, depth])

    def patch(
        self,
        corner: np.ndarray,
        across: np.ndarray,
        up: np.ndarray,
        size: tuple[float, float],
        paint: Paint,
        label: int,
        shape: Shape | None = None,
        alpha: Alpha = 1.0,
        lit: bool = True,
    ) -> None:
        """Paint a flat rectangle where nothing nearer is.

        Args:
            corner: Where positions on it count from, shape (3,).
            across: Direction of its first side, of length 1.
            up: Direction of its second side, of length 1, at a right angle.
            size: Lengths of the sides in metres.
            paint: Its colours.
            label: Its label id.
            shape: The part of it that exists; all of it if not given.
            alpha: How opaque it is, one number or a function of the positions.
            lit: Whether the light's direction matters.
        """
        sides = across * size[0], up * size[1]
        corners = [corner, corner + sides[0], corner + sides[0] + sides[1]]
        rows, cols, x, y = self._window([*corners, corner + sides[1]])
        if not x.size:
            return
        normal = cross(across, up)
        offset = float(normal @ (corner - self.position))
        if offset > 0:  # seen from behind
            normal, offset = -normal, -offset
        depth = offset / np.minimum(self._along(normal, x, y), -1e-9)
        u = depth * self._along(across, x, y) + across @ (self.position - corner)
        v = depth * self._along(up, x, y) + up @ (self.position - corner)
        mask = (depth > NEAR) & (depth < self.depth[rows, cols])
        mask &= (u >= 0) & (u <= size[0]) & (v >= 0) & (v <= size[1])
        if shape is not None:
            mask &= shape(u, v)
        if not mask.any():
            return
        u, v = u[mask], v[mask]
        colour = paint(u, v) * (self.light.tone(normal) if lit else 1.0)
        self._put(rows, cols, mask, depth[mask], colour, label, alpha, u, v)

    def _along(self, axis: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Component along an axis of the rays through samples, per unit of depth."""
        right, down, forward = (float(value) for value in self.axes @ axis)
        return (forward + right * x) + down * y

    def _window(self, corners: list[np.ndarray]):
        """Rows, columns and slopes of their rays in the box around a polygon."""
        polygon = self.outline(corners)
        height, width = self.depth.shape
        if not len(polygon):
            return slice(0, 0), slice(0, 0), np.zeros(0), np.zeros((0, 1))
        (left, top), (right, bottom) = polygon.min(0), polygon.max(0)
        cols = slice(max(floor(max(left, 0)), 0), min(ceil(min(right, width)), width))
        rows = slice(max(floor(max(top, 0)), 0), min(ceil(min(bottom, height)), height))
        if cols.stop <= cols.start or rows.stop <= rows.start:
            return slice(0, 0), slice(0, 0), np.zeros(0), np.zeros((0, 1))
        x = (np.arange(cols.start, cols.stop) + 0.5 - self.centre[0]) / self.focal
        y = (np.arange(rows.start, rows.stop) + 0.5 - self.centre[1]) / self.focal
        return rows, cols, x, y[:, None]

    def outline(self, corners: list[np.ndarray]) -> np.ndarray:
        """A polygon cut off close to the camera and projected, shape (N, 2)."""
        points = [self.axes @ (corner - self.position) for corner in corners]
        kept = []
        for a, b in zip(points, [*points[1:], points[0]]):
            if a[2] >= NEAR:
                kept.append(a)
            if (a[2] >= NEAR) != (b[2] >= NEAR):
                kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
        if not kept:
            return np.zeros((0, 2))
        cut = np.array(kept)
        return self.centre + self.focal * cut[:, :2] / cut[:, 2:]

    def _put(self, rows, cols, mask, depth, colour, label, alpha, u, v) -> None:
        target = self.colour[rows, cols]
        if callable(alpha):
            alpha = alpha(u, v)[:, None]
        if not isinstance(alpha, float) or alpha < 1:
            colour = target[mask] + (colour - target[mask]) * alpha
        target[mask] = colour
        self.depth[rows, cols][mask] = depth
        self.label[rows, cols][mask] = label

    def picture(
        self, left: int, top: int, depth: float, colour, mask, label: int
    ) -> None:
        """Paste a picture, in samples, that stands at one distance.

        Args:
            left: Its first column.
            top: Its first row.
            depth: Its distance.
            colour: BGR of shape (H, W, 3).
            mask: Where it is opaque, bool of shape (H, W).
            label: Its label id.
        """
        height, width = self.depth.shape
        x0, y0 = max(left, 0), max(top, 0)
        x1 = min(left + mask.shape[1], width)
        y1 = min(top + mask.shape[0], height)
        if x1 <= x0 or y1 <= y0 or depth < NEAR:
            return
        rows, cols = slice(y0, y1), slice(x0, x1)
        own = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        visible = mask[own] & (depth < self.depth[rows, cols])
        self.colour[rows, cols][visible] = colour[own][visible]
        self.depth[rows, cols][visible] = depth
        self.label[rows, cols][visible] = label

    def cast(self, corners: list[np.ndarray], below: bool = False) -> None:
        """Note a shadow: a polygon on the ground, where it darkens the ground only.

        Args:
            corners: Of the polygon, each of shape (3,).
            below: Whether it is right below a thing, where little light reaches, and
                not cast by the sun.
        """
        polygon = self.outline(corners)
        if len(polygon) < 3:
            return
        points = np.clip(np.round(polygon * 16), -(2**26), 2**26).astype(np.int32)
        cv2.fillPoly(self.below if below else self.sunless, [points], 1, shift=4)
