"""Boxes, prisms, rods and balls, put together from patches."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin

import numpy as np

from litehrnet_mm.datasets.body import cross
from litehrnet_mm.datasets.streets.surfaces import Ball, Disc, Noise, Outline
from litehrnet_mm.datasets.streets.view import Paint, View

UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Frame:
    """Where a thing stands and which way it faces.

    Attributes:
        origin: The middle of it on the ground, shape (3,).
        heading: Degrees to the right of the road's direction.
    """

    origin: np.ndarray
    heading: float = 0.0

    @property
    def right(self) -> np.ndarray:
        """Direction to its own right."""
        angle = radians(self.heading)
        return np.array([cos(angle), 0.0, -sin(angle)])

    @property
    def forward(self) -> np.ndarray:
        """Direction it faces."""
        angle = radians(self.heading)
        return np.array([sin(angle), 0.0, cos(angle)])

    def at(self, x: float, y: float, z: float) -> np.ndarray:
        """A point, in metres to its right, upwards and forwards."""
        return self.origin + self.right * x + UP * y + self.forward * z

    def footprint(self, width: float, length: float) -> list[np.ndarray]:
        """Corners of a rectangle on the ground around its origin."""
        x, z = width / 2, length / 2
        return [self.at(a, 0, b) for a, b in ((-x, -z), (x, -z), (x, z), (-x, z))]


def box(view: View, frame: Frame, low, high, label: int, side: Paint, **faces: Paint):
    """Draw a box.

    Args:
        view: Where to draw.
        frame: Where it stands.
        low: Least x, y and z in the frame.
        high: Greatest x, y and z.
        label: Its label id.
        side: Paint of what is not given.
        **faces: Paints of ``left``, ``right``, ``front``, ``back`` and ``top``.
            Positions count from its lower rear corner (front and back: lower left).
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    wide, tall, long = x1 - x0, y1 - y0, z1 - z0
    right, forward = frame.right, frame.forward
    lying, standing, across = (long, tall), (wide, tall), (wide, long)
    for name, corner, first, second, size in (
        ('left', (x0, y0, z0), forward, UP, lying),
        ('right', (x1, y0, z0), forward, UP, lying),
        ('back', (x0, y0, z0), right, UP, standing),
        ('front', (x0, y0, z1), right, UP, standing),
        ('top', (x0, y1, z0), right, forward, across),
    ):
        paint = faces.get(name, side)
        view.patch(frame.at(*corner), first, second, size, paint, label)


def prism(
    view: View,
    frame: Frame,
    profile: np.ndarray,
    half: float,
    label: int,
    side: Paint,
    edges: dict[int, Paint] | None = None,
) -> None:
    """Draw a solid that looks the same all through its width.

    Args:
        view: Where to draw.
        frame: Where it stands.
        profile: Corners of its side, forwards and upwards, shape (N, 2).
        half: Half its width.
        label: Its label id.
        side: Paint of the sides; positions count from the profile's least.
        edges: Paints of the surfaces between corner ``k`` and the next, by ``k``;
            positions are across, and along from corner ``k``.
    """
    low, high = profile.min(0), profile.max(0)
    shape = Outline(profile - low)
    size = tuple(high - low)
    for x in (-half, half):
        corner = frame.at(x, low[1], low[0])
        view.patch(corner, frame.forward, UP, size, side, label, shape)
    for k, (start, end) in enumerate(zip(profile, np.roll(profile, -1, axis=0))):
        dz, dy = end - start
        length = hypot(dz, dy)
        direction = (frame.forward * dz + UP * dy) / length
        paint = (edges or {}).get(k, side)
        corner = frame.at(-half, start[1], start[0])
        view.patch(corner, frame.right, direction, (2 * half, length), paint, label)


def rod(view: View, start, end, radius: float, label: int, paint: Paint) -> None:
    """Draw a round rod between two points."""
    along = end - start
    length = float(np.sqrt(along @ along))
    along = along / length
    across = cross(along, 0.5 * (start + end) - view.position)
    norm = float(np.sqrt(across @ across))
    if norm < 1e-6:  # it points straight at the camera
        return
    across = across / norm
    size = (2 * radius, length)
    shaded = Ball(paint, size, (float(across @ view.light.sun), 0, 0.6), round_up=False)
    corner = start - across * radius
    view.patch(corner, across, along, size, shaded, label, lit=False)


def ball(
    view: View,
    centre: np.ndarray,
    radii: tuple[float, float],
    label: int,
    paint: Paint,
    ragged: float = 0.0,
    noise: Noise | None = None,
    cell: float = 1.0,
) -> None:
    """Draw a ball or the crown of a tree, half ``radii`` wide and high."""
    right, up = view.axes[0], -view.axes[1]
    size = (2 * radii[0], 2 * radii[1])
    corner = centre - right * radii[0] - up * radii[1]
    sun = view.light.sun
    light = (float(sun @ right), float(sun @ up), -0.3 * float(sun @ view.axes[2]))
    shape = Disc(size, noise, ragged, cell, shift=float(centre[0]))
    shaded = Ball(paint, size, light)
    view.patch(corner, right, up, size, shaded, label, shape, lit=False)


def hoop(view: View, centre, plane, radius: float, thick: float, label: int, paint):
    """Draw a ring, such as a tyre, in the plane of two directions."""
    turns = [2 * pi * k / 14 for k in range(15)]
    first, second = plane
    points = [centre + radius * (cos(a) * first + sin(a) * second) for a in turns]
    for start, end in zip(points, points[1:]):
        rod(view, start, end, thick, label, paint)


def disc(view: View, centre, plane, radius: float, label: int, paint, alpha=1.0):
    """Draw a flat disc in the plane of two directions."""
    size = (2 * radius, 2 * radius)
    corner = centre - radius * (plane[0] + plane[1])
    view.patch(corner, *plane, size, paint, label, Disc(size), alpha)
