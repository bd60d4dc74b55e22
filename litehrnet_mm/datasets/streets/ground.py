"""Road, sidewalks and what lies beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from litehrnet_mm.datasets.background import muted
from litehrnet_mm.datasets.streets.classes import IDS
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import UP
from litehrnet_mm.datasets.streets.surfaces import Blocks, Leaves
from litehrnet_mm.datasets.streets.view import Paint

EAST, NORTH = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
FAR = 140.0
"""Metres to where the street ends."""

KERB = 0.13
"""Height of the sidewalks in metres."""


@dataclass(frozen=True)
class Layout:
    """Cross-section of the street; the camera is at x = 0.

    Attributes:
        left: Position of the left kerb, negative, in metres.
        right: Position of the right kerb.
        walks: Widths of the left and the right sidewalk.
        verges: Widths of the grass or gravel beyond them, before the lots.
        crossing: Where a street crosses, nearest and farthest; ``None`` for none.
    """

    left: float
    right: float
    walks: tuple[float, float]
    verges: tuple[float, float]
    crossing: tuple[float, float] | None

    def side(self, sign: int) -> tuple[float, float, float]:
        """Distances of kerb, end of the sidewalk and begin of the lots on one side."""
        k = 0 if sign < 0 else 1
        kerb = -self.left if sign < 0 else self.right
        walk = kerb + self.walks[k]
        return kerb, walk, walk + self.verges[k]

    def stretches(self, start: float = 0.0) -> list[tuple[float, float]]:
        """Nearest and farthest of the parts that no crossing street interrupts."""
        if self.crossing is None:
            return [(start, FAR)]
        return [(start, self.crossing[0]), (self.crossing[1], FAR)]


def sample_layout(rng: np.random.Generator) -> Layout:
    """Draw a street."""
    crossing = None
    if rng.random() < 0.5:
        start = rng.uniform(10, 24)
        crossing = (start, start + rng.uniform(7, 11))
    return Layout(
        left=-rng.uniform(3.4, 4.6),
        right=rng.uniform(2.3, 3.4),
        walks=tuple(rng.uniform(1.6, 3.0, 2).tolist()),
        verges=tuple((rng.uniform(3, 6, 2) * (rng.random(2) < 0.5)).tolist()),
        crossing=crossing,
    )


@dataclass(frozen=True)
class Road:
    """Asphalt or paving with lines.

    Attributes:
        base: What is below the lines.
        lines: Each (position, width, period, length of a dash) in metres.
        zebra: Begin and end of a crosswalk, empty for none.
        white: BGR of the lines.
    """

    base: Paint
    lines: tuple[tuple[float, float, float, float], ...]
    zebra: tuple[float, ...]
    white: np.ndarray

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        colour = self.base(u, v)
        lined = np.zeros(u.shape, bool)
        for position, width, period, dash in self.lines:
            lined |= (np.abs(u - position) < width / 2) & (v % period < dash)
        if self.zebra:
            lined |= (v > self.zebra[0]) & (v < self.zebra[1]) & (u % 1.0 < 0.5)
        colour[lined] += (self.white - colour[lined]) * 0.8
        return colour


def draw_ground(site: Site, layout: Layout) -> None:
    """Draw everything that is level."""
    _draw_terrain(site)
    _draw_road(site, layout)
    for sign in (-1, 1):
        _draw_walk(site, layout, sign)


def _draw_terrain(site: Site) -> None:
    kind = site.between(0, 1)
    if kind < 0.9:
        tint = np.array([50, 150, 125]) * site.between(0.9, 1.15)
        tint += site.rng.normal(0, 10, 3)
    else:
        tint = np.array([90, 125, 150]) * site.between(0.7, 1.15)
    paint = Leaves(np.clip(tint, 15, 230), site.noise, site.between(0.8, 2.5), 0.35)
    corner = np.array([-FAR, -0.02, 0.0])
    size = (2 * FAR, FAR + 60)
    site.view.patch(corner, EAST, NORTH, size, paint, IDS['terrain'])


def _asphalt(site: Site) -> Paint:
    grey = np.full(3, site.between(65, 95)) + site.rng.normal(0, 3, 3)
    base = site.plain(grey, site.between(0.06, 0.12), site.between(0.5, 3))
    if site.chance(0.1):
        size = site.between(0.2, 0.5)
        return Blocks(base, grey * 0.75, (size * 1.5, size), 0.03, vary=0.15)
    return base


def _draw_road(site: Site, layout: Layout) -> None:
    wide = layout.right - layout.left
    lines: list[tuple[float, float, float, float]] = []
    if site.chance(0.8):
        dash = site.between(1.5, 4)
        middle = -layout.left - site.between(1.5, 2.0)
        lines.append((middle, site.between(0.12, 0.2), 2.2 * dash, dash))
    if site.chance(0.5):
        lines += [(edge, 0.15, 9.0, 9.0) for edge in (2.2, wide - 2.2)]
    zebra: tuple[float, ...] = ()
    if site.chance(0.35):
        start = site.between(6, 20)
        zebra = (start, start + 3.2)
    base = _asphalt(site)
    white = np.full(3, site.between(175, 225))
    corner = np.array([layout.left, 0.0, 0.0])
    paint = Road(base, tuple(lines), zebra, white)
    road = IDS['road']
    site.view.patch(corner, EAST, NORTH, (wide, FAR), paint, road)
    if layout.crossing:
        near, far = layout.crossing
        corner = np.array([-60.0, -0.005, near])
        site.view.patch(corner, EAST, NORTH, (120.0, far - near), base, road)


def _draw_walk(site: Site, layout: Layout, sign: int) -> None:
    kerb, walk, _ = layout.side(sign)
    tint = muted(site.rng) * 0.4 + site.between(50, 90)
    if site.chance(0.9):  # warmer than the road
        tint = np.array([105, 120, 150]) * site.between(1.0, 1.2)
    base = site.plain(tint, 0.08, site.between(0.5, 2))
    slab = site.between(0.35, 1.0)
    paint: Paint = base
    if site.chance(0.8):
        joint = tint * site.between(0.72, 0.9)
        paint = Blocks(base, joint, (slab, slab * site.between(0.5, 1)), 0.035)
    stone = site.plain(tint * site.between(0.9, 1.2), 0.05)
    view, label = site.view, IDS['sidewalk']
    start = min(sign * kerb, sign * walk)
    for near, far in layout.stretches():
        corner = np.array([start, KERB, near])
        size = (walk - kerb, far - near)
        view.patch(corner, EAST, NORTH, size, paint, label)
        edge = np.array([sign * kerb, 0.0, near])
        view.patch(edge, NORTH, UP, (far - near, KERB), stone, label)
        back = np.array([sign * walk, -0.02, near])
        view.patch(back, NORTH, UP, (far - near, KERB + 0.02), stone, label)
        end = np.array([start, 0.0, near])
        view.patch(end, EAST, UP, (walk - kerb, KERB), stone, label)
