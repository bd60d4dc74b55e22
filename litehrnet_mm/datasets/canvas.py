"""A small z-buffer: shaded ellipsoids, capsules, lofts and boxes, seen from afar.

Everything is in pixels of the canvas: ``x`` right, ``y`` down, ``z`` to the viewer.
A solid writes three buffers, depth, label (what it is made of) and shade (how much it
faces the light); colours are looked up once at the end.
"""

from __future__ import annotations

from math import ceil, floor, hypot
from typing import Callable, Union

import cv2
import numpy as np

FAR = np.float32(-1e6)
"""Depth of a pixel that shows nothing."""

Paint = Union[int, Callable[..., np.ndarray]]
"""A label, or a function of a solid's own coordinates that returns labels."""


class Canvas:
    """Depth, label and shade of a window of the picture.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        origin: Position of the pixel (0, 0) in the coordinates of the solids; two
            whole numbers.
        light: Direction to the light, shape (3,); it need not be of length 1.
    """

    def __init__(self, width: int, height: int, origin, light) -> None:
        self.depth = np.full((height, width), FAR, np.float32)
        self.label = np.zeros((height, width), np.uint8)
        self.shade = np.zeros((height, width), np.float32)
        self.origin = [int(value) for value in origin]
        self.light = np.asarray(light, np.float64) / np.linalg.norm(light)

    def _window(self, x0: float, y0: float, x1: float, y1: float):
        """Rows, columns and their coordinates (x, and y as a column) in a rectangle.

        Both coordinates are empty when the rectangle misses the canvas.
        """
        height, width = self.depth.shape
        left, top = self.origin
        cols = slice(max(floor(x0 - left), 0), min(ceil(x1 - left) + 1, width))
        rows = slice(max(floor(y0 - top), 0), min(ceil(y1 - top) + 1, height))
        if cols.stop <= cols.start or rows.stop <= rows.start:
            rows = cols = slice(0, 0)
        x = np.arange(cols.start + left, cols.stop + left, dtype=np.float32)
        y = np.arange(rows.start + top, rows.stop + top, dtype=np.float32)
        return rows, cols, x, y[:, None]

    def _put(self, rows, cols, mask, depth, shade, label) -> None:
        mask = mask & (depth > self.depth[rows, cols])
        if not np.isscalar(label):
            mask &= label > 0
        np.copyto(self.depth[rows, cols], depth, where=mask)
        np.copyto(self.shade[rows, cols], shade, where=mask)
        np.copyto(self.label[rows, cols], label, where=mask, casting='unsafe')

    def ellipsoid(self, centre, axes, radii, paint: Paint) -> None:
        """Draw an ellipsoid.

        Args:
            centre: Shape (3,).
            axes: Its axes as the columns of an orthonormal matrix, shape (3, 3).
            radii: Half lengths of the axes, shape (3,).
            paint: A label, or ``paint(x, y, z)`` on the unit sphere, where 0 leaves
                the pixel as it was.
        """
        inverse = np.asarray(axes) / np.asarray(radii)
        a = inverse @ inverse.T
        extent = np.sqrt(((np.asarray(axes) * radii) ** 2).sum(1))
        cx, cy, cz = (float(value) for value in centre)
        ex, ey, _ = extent
        rows, cols, x, y = self._window(cx - ex, cy - ey, cx + ex, cy + ey)
        if not x.size:
            return
        x, y = x - cx, y - cy
        a = a.astype(np.float32)
        slope = (a[0, 2] * x + a[1, 2] * y) / a[2, 2]
        inside = (1 - a[0, 0] * x * x) - a[1, 1] * y * y - (2 * a[0, 1] * x) * y
        inside = inside / a[2, 2] + slope * slope
        z = np.sqrt(np.maximum(inside, 0)) - slope
        light = (a @ self.light).astype(np.float32)
        gx, gy, gz = (row[0] * x + row[1] * y + row[2] * z for row in a)
        length = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9
        shade = (light[0] * x + light[1] * y + light[2] * z) / length
        label = paint
        if not isinstance(paint, int):
            to_unit = inverse.T.astype(np.float32)
            label = paint(*(row[0] * x + row[1] * y + row[2] * z for row in to_unit))
        self._put(rows, cols, inside > 0, z + cz, shade, label)

    def capsule(self, a, b, radius_a, radius_b, paint: Paint, flat=False) -> None:
        """Draw a tapered capsule.

        Args:
            a: One end, shape (3,).
            b: Other end, shape (3,).
            radius_a: Radius at ``a``.
            radius_b: Radius at ``b``.
            paint: A label, or ``paint(t, s)`` with ``t`` from 0 at ``a`` to 1 at ``b``
                and ``s`` across the visible side, -1 to 1.
            flat: Cut it straight at ``b``, as a sleeve ends, instead of rounding it.
        """
        ax, ay, az = (float(value) for value in a)
        bx, by, bz = (float(value) for value in b)
        reach = max(radius_a, radius_b)
        rows, cols, x, y = self._window(
            min(ax, bx) - reach,
            min(ay, by) - reach,
            max(ax, bx) + reach,
            max(ay, by) + reach,
        )
        if not x.size:
            return
        x, y = x - ax, y - ay
        length = hypot(bx - ax, by - ay)
        ux, uy = 1.0, 0.0
        if length > 1e-3:
            ux, uy = (bx - ax) / length, (by - ay) / length
        length = max(length, 1e-3)
        along = ux * x + uy * y
        across = ux * y - uy * x
        t = np.minimum(np.maximum(along * (1 / length), 0), 1)
        beyond = along - t * length
        radius = t * float(radius_b - radius_a) + float(radius_a)
        across, beyond = across / radius, beyond / radius
        squared = across * across + beyond * beyond
        front = np.sqrt(np.maximum(1 - squared, 0))
        z = t * (bz - az) + radius * front + az
        lx, ly, lz = (float(value) for value in self.light)
        shade = (ux * ly - uy * lx) * across + (ux * lx + uy * ly) * beyond
        shade += lz * front
        mask = squared < 1
        if flat:
            mask &= along <= length
        label = paint if isinstance(paint, int) else paint(t, across)
        self._put(rows, cols, mask, z, shade, label)

    def loft(self, origin, axes, profile: np.ndarray, paint: Paint) -> None:
        """Draw a trunk: ellipses stacked along the second axis.

        Args:
            origin: Where the heights of the profile count from, shape (3,).
            axes: Axes (sideways, along, forward) as columns, shape (3, 3).
            profile: Rows of height, half width and half depth, evenly spaced and
                ascending in height, shape (K, 3).
            paint: A label, or ``paint(x, y, z)`` with the height ``y`` in pixels and
                ``x``, ``z`` on the unit circle (``z`` > 0 is the front).

        The surface is found by a fixed-point step per pixel, which is exact for a
        cylinder and good as long as the trunk does not point at the viewer.
        """
        low, high = profile[0, 0], profile[-1, 0]
        ends = np.array([origin + axes[:, 1] * low, origin + axes[:, 1] * high])
        wide, deep = profile[:, 1:].max(0)
        reach = np.hypot(axes[:2, 0] * wide, axes[:2, 2] * deep)
        rows, cols, x, y = self._window(
            *(ends[:, :2].min(0) - reach), *(ends[:, :2].max(0) + reach)
        )
        if not x.size:
            return
        x, y = x - np.float32(origin[0]), y - np.float32(origin[1])
        m = np.asarray(axes, np.float32)
        px, py, pz = (m[0, k] * x + m[1, k] * y for k in range(3))
        vx, vy, vz = m[2]
        table = (1 / profile[:, 1:].astype(np.float32) ** 2).T
        step = np.float32((len(profile) - 1) / (high - low))
        distance = -(px * vx + pz * vz) / np.float32(vx * vx + vz * vz + 1e-6)
        for _ in range(2):
            height = py + vy * distance
            index = ((height - np.float32(low)) * step + 0.5).astype(np.int32)
            np.clip(index, 0, len(profile) - 1, out=index)
            iw, idp = table[0][index], table[1][index]
            qa = vx * vx * iw + vz * vz * idp
            qb = px * vx * iw + pz * vz * idp
            disc = qb * qb - qa * (px * px * iw + pz * pz * idp - 1)
            distance = (np.sqrt(np.maximum(disc, 0)) - qb) / qa
        hx, hz = px + vx * distance, pz + vz * distance
        height = py + vy * distance
        light = (self.light @ np.asarray(axes)).astype(np.float32)
        gx, gz = hx * iw, hz * idp
        shade = (light[0] * gx + light[2] * gz) / np.sqrt(gx * gx + gz * gz + 1e-12)
        mask = (disc > 0) & (height >= low) & (height <= high)
        label = paint
        if not isinstance(paint, int):
            label = paint(hx * np.sqrt(iw), height, hz * np.sqrt(idp))
        self._put(rows, cols, mask, distance + np.float32(origin[2]), shade, label)

    def box(self, centre, axes, half, label: int) -> None:
        """Draw a box with half edges ``half`` (3,) along the columns of ``axes``."""
        for k in range(3):
            normal = axes[:, k] * (1 if axes[2, k] > 0 else -1)
            if normal[2] > 1e-3:
                self._face(centre + normal * half[k], axes, half, k, normal, label)

    def _face(self, middle, axes, half, k: int, normal, label: int) -> None:
        u, v = (axes[:, i] * half[i] for i in range(3) if i != k)
        corners = np.array(
            [middle + u + v, middle + u - v, middle - u - v, middle - u + v]
        )
        rows, cols, x, y = self._window(*corners.min(0)[:2], *corners.max(0)[:2])
        if not x.size:
            return
        mask = np.zeros((y.size, x.size), np.uint8)
        polygon = corners[:, :2] - [x[0], y[0, 0]]
        cv2.fillConvexPoly(mask, np.round(polygon * 16).astype(np.int32), 1, shift=4)
        tilt = normal[0] * (x - middle[0]) + normal[1] * (y - middle[1])
        depth = (middle[2] - tilt / normal[2]).astype(np.float32)
        shade = np.float32(normal @ self.light)
        self._put(rows, cols, mask > 0, depth, np.full_like(depth, shade), label)

    def crop(self, multiple: int) -> None:
        """Cut away empty margins; offsets and sizes stay multiples of ``multiple``."""
        x, y, width, height = cv2.boundingRect(self.label)
        x0, y0 = x // multiple * multiple, y // multiple * multiple
        x1, y1 = (-(-end // multiple) * multiple for end in (x + width, y + height))
        window = slice(y0, y1), slice(x0, x1)
        self.depth, self.label = self.depth[window], self.label[window]
        self.shade = self.shade[window]
        self.origin = [self.origin[0] + x0, self.origin[1] + y0]

    def colours(self, palette: np.ndarray, edge: float, outline: int) -> np.ndarray:
        """Turn labels into colours.

        Args:
            palette: BGR of every label, shape (L, 3).
            edge: Jump of the depth, in pixels, that gets a dark line.
            outline: Thickness of that line in pixels, odd.

        Returns:
            BGR in 0..255, shape (H, W, 3), float32; 0 where nothing is drawn.
        """
        tone = 0.66 + 0.46 * np.maximum(self.shade, -0.4)
        kernel = np.ones((outline, outline), np.uint8)
        border = float(FAR)
        lowest = cv2.erode(self.depth, kernel, borderValue=border)
        tone[self.depth - lowest > edge] *= 0.52
        table = np.zeros((1, 256, 3), np.float32)
        table[0, 1 : len(palette)] = palette[1:]
        colour = cv2.LUT(cv2.merge([self.label] * 3), table)
        return cv2.multiply(colour, cv2.merge([tone] * 3))
