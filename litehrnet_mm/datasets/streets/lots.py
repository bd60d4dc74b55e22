"""What lines the street: houses, walls, fences, hedges and trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from litehrnet_mm.datasets.background import muted
from litehrnet_mm.datasets.clothes import neutral, vivid
from litehrnet_mm.datasets.streets.classes import IDS
from litehrnet_mm.datasets.streets.ground import FAR, NORTH, Layout
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import UP, Frame, ball, box, rod
from litehrnet_mm.datasets.streets.surfaces import (
    Blocks,
    Boxed,
    Leaves,
    Outline,
    Windows,
)
from litehrnet_mm.datasets.streets.view import Paint

DETAILED = 30.0
"""Metres; what is farther has fewer parts."""


def draw_lots(site: Site, layout: Layout) -> None:
    """Draw both sides of the street, and what closes it off in the distance."""
    fences = []
    for sign in (-1, 1):
        for near, far in layout.stretches(-6.0):
            _, walk, x = layout.side(sign)
            kind = site.between(0, 1) if x == walk else 1.0  # walls line sidewalks
            if kind < 0.36:
                draw_wall(site, x, sign, near, far - near)
            elif kind < 0.8:
                fences.append((x, sign, near, far - near))
            _draw_row(site, x + (2 if kind < 0.8 else 0), sign, near, far)
    _draw_end(site)
    for x, sign, near, length in fences:  # last, since one can look through them
        draw_fence(site, x, sign, near, length)


def _draw_row(site: Site, x: float, sign: int, near: float, far: float) -> None:
    """Draw houses and gardens along the street."""
    while near < far - 2:
        length = min(site.between(14, 30), far - near)
        if site.chance(0.5):
            draw_house(site, x, sign, near, length)
        else:
            draw_green(site, x + 0.5, sign, near, length)
        near += length


def draw_house(site: Site, x: float, sign: int, near: float, length: float) -> None:
    """Draw a house whose front faces the street."""
    storeys, storey = int(site.rng.integers(1, 6)), site.between(2.7, 3.4)
    height, depth = storeys * storey + site.between(0.3, 1), site.between(6, 12)
    wall = _front(site, storeys, storey, length)
    centre = np.array([sign * (x + depth / 2), 0, near + length / 2])
    frame = Frame(centre)
    half = depth / 2, length / 2
    low, high = (-half[0], 0, -half[1]), (half[0], height, half[1])
    label = IDS['building']
    box(site.view, frame, low, high, label, wall)
    if storeys < 5 and site.chance(0.6):
        _draw_roof(site, frame, half, height, wall)
    site.shade(frame.footprint(depth, length), height)


def _front(site: Site, storeys: int, storey: float, length: float) -> Paint:
    rng = site.rng
    wall = site.masonry(bricks=0.05)
    across = site.between(1.7, 3.2)
    size = across * site.between(0.35, 0.75), storey * site.between(0.4, 0.62)
    glass = np.array([105, 90, 80]) * site.between(0.45, 1.4)
    frame = muted(rng) if site.chance(0.5) else np.full(3, 225.0)
    start = storey if storeys > 1 and site.chance(0.5) else 0.0
    band = (start + 0.1, storeys * storey + 0.1)
    front: Paint = Windows(wall, site.noise, glass, frame, (across, storey), size, band)
    boxes, colours = [], []
    if start:  # shops
        base = muted(rng) * 0.8
        boxes += [(0, length, 0, storey), (0.4, length - 0.4, 0.5, storey - 0.7)]
        colours += [base, glass * 0.8]
        boxes.append((0.3, length - 0.3, storey - 0.6, storey - 0.1))
        colours.append(vivid(rng))
    door = site.between(0.5, max(length - 2, 0.6))
    boxes.append((door, door + 1.2, 0, 2.2))
    colours.append(neutral(rng) * 0.8)
    return Boxed(front, tuple(boxes), tuple(colours))


def _draw_roof(site: Site, frame: Frame, half, height: float, gable: Paint) -> None:
    rise = site.between(0.5, 1.0) * half[0]
    tint = np.array([55, 70, 120]) if site.chance(0.6) else np.array([85, 80, 80])
    base = site.plain(tint * site.between(0.6, 1.3), 0.15, 0.4)
    tiles = Blocks(base, base.colour * 0.7, (0.4, 0.5), 0.05)
    long, label = 2 * half[1], IDS['building']
    slope = float(np.sqrt(half[0] ** 2 + rise**2))
    for side in (-1, 1):
        corner = frame.at(side * half[0], height, -half[1])
        up = (-side * half[0] * frame.right + rise * UP) / slope
        site.view.patch(corner, NORTH, up, (long, slope), tiles, label)
    outline = Outline(np.array([[0, 0], [2 * half[0], 0], [half[0], rise]]))
    for z in (-half[1], half[1]):
        corner = frame.at(-half[0], height, z)
        size = (2 * half[0], rise)
        site.view.patch(corner, frame.right, UP, size, gable, label, outline)


def draw_wall(site: Site, x: float, sign: int, near: float, length: float) -> None:
    """Draw a wall without windows."""
    height, thick = site.between(2.0, 3.2), 0.35
    paint, tint = site.masonry(bricks=0.95), muted(site.rng)
    frame = Frame(np.array([sign * (x + thick / 2), 0, near + length / 2]))
    half = thick / 2, length / 2
    low, high = (-half[0], 0, -half[1]), (half[0], height, half[1])
    box(site.view, frame, low, high, IDS['wall'], paint)
    low = (-half[0] - 0.05, height, -half[1])
    high = (half[0] + 0.05, height + 0.12, half[1])
    box(site.view, frame, low, high, IDS['wall'], site.plain(tint * 0.85))
    site.shade(frame.footprint(thick, length), height)


def draw_fence(site: Site, x: float, sign: int, near: float, length: float) -> None:
    """Draw a fence: boards, bars or wire between posts."""
    view, label = site.view, IDS['fence']
    height = site.between(2.0, 2.9)
    tint = site.typical((150, 105, 65), (190, 150, 105), (225, 220, 210))
    paint = site.plain(tint * site.between(0.7, 1.1), 0.15, 0.3)
    corner = np.array([sign * x, 0, near])
    size = (length, height)
    kind = site.between(0, 1)
    if kind < 0.8:
        boards = Blocks(paint, tint * 0.3, (site.between(0.25, 0.4), 9.0), 0.05)
        view.patch(corner, NORTH, UP, size, boards, label)
    else:
        pitch = site.between(0.12, 0.3)
        bars = Bars(pitch, pitch * 0.4, height, wire=kind > 0.9)
        view.patch(corner, NORTH, UP, size, paint, label, alpha=bars)
    for z in np.arange(near, near + length + 0.1, site.between(1.8, 3.0)):
        foot = np.array([sign * (x - 0.03), 0, z])
        rod(view, foot, foot + UP * (height + 0.1), 0.06, label, paint)
    flat = [corner, corner + NORTH * length]
    site.shade([*flat, flat[1] + 0.05, flat[0] + 0.05], height * 0.8)


@dataclass(frozen=True)
class Bars:
    """How opaque a fence is: bars or wire with something to see between them.

    Attributes:
        pitch: From one bar to the next, in metres.
        width: Of a bar.
        height: Of the fence.
        wire: Whether there are as many level bars.
    """

    pitch: float
    width: float
    height: float
    wire: bool

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Opacity at positions."""
        bar = u % self.pitch < self.width
        bar |= (v > self.height - 0.1) | (np.abs(v - 0.2) < 0.05)
        if self.wire:
            bar |= v % self.pitch < self.width * 0.6
        return np.where(bar, 1.0, 0.6)


def sample_green(site: Site) -> np.ndarray:
    """Draw the colour of leaves, BGR."""
    tint = np.array([45, 95, 70]) * site.between(0.75, 1.2)
    if site.chance(0.06):
        tint = np.array([40, 100, 150]) * site.between(0.7, 1.2)  # autumn
    return np.clip(tint + site.rng.normal(0, 9, 3), 8, 230)


def draw_green(site: Site, x: float, sign: int, near: float, length: float) -> None:
    """Draw a hedge, bushes or a row of trees."""
    kind = site.between(0, 1)
    if kind < 0.3:
        draw_hedge(site, x, sign, near, length)
        return
    z = near + site.between(0, 2)
    while z < near + length:
        foot = np.array([sign * (x + site.between(0.5, 3)), 0, z])
        draw_tree(site, foot, bush=kind > 0.75)
        z += site.between(2.5, 5)


def draw_hedge(site: Site, x: float, sign: int, near: float, length: float) -> None:
    """Draw a clipped hedge."""
    height = site.between(1.0, 2.4)
    paint = Leaves(sample_green(site), site.noise, 0.5, 0.6, site.between(0, 9))
    frame = Frame(np.array([sign * (x + 0.5), 0, near + length / 2]))
    low, high = (-0.5, 0, -length / 2), (0.5, height, length / 2)
    box(site.view, frame, low, high, IDS['vegetation'], paint)
    for z in np.arange(near, min(near + length, DETAILED), 0.6):
        top = np.array([sign * (x + 0.4), height - 0.05, z])
        radii = site.between(0.35, 0.6), site.between(0.15, 0.4)
        ball(site.view, top, radii, IDS['vegetation'], paint, 0.6, site.noise, 0.4)
    site.shade(frame.footprint(1, length), height)


def draw_tree(site: Site, foot: np.ndarray, bush: bool = False) -> None:
    """Draw a tree or a bush at a point of the ground."""
    view, label = site.view, IDS['vegetation']
    size = site.between(0.7, 1.2) if bush else site.between(1.4, 2.6)
    stem = 0.4 * size if bush else site.between(1.8, 3.0)
    green = sample_green(site)
    bark = site.plain(np.array([60, 75, 90]) * site.between(0.6, 1.2), 0.3, 0.2)
    if not bush:
        top = foot + UP * (stem + 0.5 * size)
        rod(view, foot, top, site.between(0.12, 0.22), label, bark)
    base = foot + UP * (stem + 0.5 * size)
    near = foot[2] < DETAILED
    for _ in range(4 if bush or not near else 7):
        offset = site.rng.uniform(-0.75, 0.75, 3) * size * np.array([1, 0.8, 0.6])
        radius = size * site.between(0.55, 0.85)
        tint = green * site.between(0.75, 1.2)
        leaves = Leaves(tint, site.noise, 0.5 * size, 0.55, site.between(0, 20))
        radii = (radius, radius * site.between(0.8, 1.0))
        ball(view, base + offset, radii, label, leaves, 0.55, site.noise, 0.7 * size)
    site.shade(Frame(foot).footprint(1.2 * size, 1.2 * size), stem + size)


def _draw_end(site: Site) -> None:
    """Draw houses and trees across the end of the street."""
    x = -80.0
    while x < 80:
        width = site.between(8, 20)
        centre = np.array([x + width / 2, 0, FAR - 30 + site.between(0, 25)])
        if site.chance(0.6):
            frame = Frame(centre)
            storeys = int(site.rng.integers(1, 5))
            paint = _front(site, storeys, 3.0, width)
            low, high = (-width / 2, 0, 0), (width / 2, storeys * 3.0 + 0.5, 8)
            box(site.view, frame, low, high, IDS['building'], paint)
        else:
            draw_tree(site, centre)
            draw_tree(site, centre + np.array([width / 3, 0, 2]))
        x += width * site.between(0.8, 1.3)
