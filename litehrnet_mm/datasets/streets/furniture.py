"""Poles with what they carry: lamps, traffic lights and traffic signs."""

from __future__ import annotations

import numpy as np

from litehrnet_mm.datasets.clothes import vivid
from litehrnet_mm.datasets.streets.classes import IDS
from litehrnet_mm.datasets.streets.ground import EAST, KERB, Layout
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import UP, Frame, box, rod
from litehrnet_mm.datasets.streets.surfaces import Boxed, Disc, Outline
from litehrnet_mm.datasets.streets.view import Paint, Shape

RED, YELLOW = np.array([40, 35, 200.0]), np.array([30, 200, 235.0])
BLUE, WHITE = np.array([175, 90, 30.0]), np.array([235, 235, 235.0])
GREEN, BLACK = np.array([90, 200, 60.0]), np.array([28, 28, 28.0])

FARTHEST = 14.0
"""Metres; poles beyond would be a pixel wide."""


def draw_furniture(site: Site, layout: Layout) -> None:
    """Draw the poles along both sidewalks."""
    for sign in (-1, 1):
        kerb = layout.side(sign)[0]
        x = sign * (kerb + site.between(0.35, 0.6))
        z = site.between(5.5, 9)
        while z < FARTHEST:
            if site.claim(x, z, 0.15, 0.15):
                kind = site.between(0, 1)
                foot = np.array([x, KERB, z])
                if kind < 0.34:
                    draw_lamp(site, foot, -sign)
                elif kind < 0.66:
                    draw_light(site, foot, -sign)
                else:
                    draw_sign(site, foot)
            z += site.between(3, 6)


def _metal(site: Site) -> Paint:
    kind = site.between(0, 1)
    tint = np.full(3, site.between(60, 170))
    if kind < 0.2:
        tint = np.array([60, 80, 45.0])
    elif kind < 0.35:
        tint = np.array([75, 100, 130.0])
    return site.plain(tint, 0.12, 0.3)


def draw_lamp(site: Site, foot: np.ndarray, towards: int) -> None:
    """Draw a lamp post whose arm reaches over the road."""
    view, label = site.view, IDS['pole']
    paint, height = _metal(site), site.between(4.5, 8)
    radius = site.between(0.16, 0.24)
    top = foot + UP * height
    rod(view, foot, foot + UP * 0.9, radius * 1.5, label, paint)
    rod(view, foot, top, radius, label, paint)
    end = top + EAST * (towards * site.between(0.8, 2)) + UP * 0.3
    rod(view, top, end, radius, label, paint)
    rod(view, end, end + EAST * (towards * 0.6), 0.13, label, site.plain(WHITE * 0.8))
    if site.chance(0.35):
        draw_plate(site, foot + UP * site.between(2.0, 2.6))
    site.shade(Frame(foot * [1, 0, 1]).footprint(0.25, 0.25), height)


def draw_light(site: Site, foot: np.ndarray, towards: int) -> None:
    """Draw a traffic light, some with a second one above the road."""
    view, paint = site.view, _metal(site)
    height, lit = site.between(2.3, 3.0), int(site.rng.integers(3))
    tall = site.between(1.2, 1.6)
    top = height + tall
    rod(view, foot, foot + UP * top, site.between(0.14, 0.19), IDS['pole'], paint)
    _draw_signal(site, foot + UP * height, tall, lit)
    if site.chance(0.4):
        top += site.between(1.3, 2.0)
        reach = EAST * (towards * site.between(1.5, 3.2))
        rod(view, foot, foot + UP * top, 0.15, IDS['pole'], paint)
        rod(view, foot + UP * top, foot + UP * top + reach, 0.14, IDS['pole'], paint)
        _draw_signal(site, foot + UP * (top - tall + 0.1) + reach, tall, lit)
    site.shade(Frame(foot * [1, 0, 1]).footprint(0.3, 0.3), top)


def _draw_signal(site: Site, bottom: np.ndarray, tall: float, lit: int) -> None:
    """Draw a housing with its three lamps, in front of the pole."""
    view, label = site.view, IDS['traffic light']
    case = site.plain(BLACK * site.between(0.8, 2.2), 0.1, 0.3)
    if site.chance(0.15):
        case = site.plain(YELLOW * 0.8, 0.1, 0.3)
    frame = Frame(bottom, site.between(-25, 25))
    wide = tall * 0.4
    if site.chance(0.5):
        low, high = (-wide * 0.85, -0.08, -0.16), (wide * 0.85, tall + 0.08, -0.13)
        board = Boxed(site.plain(BLACK), (), ())
        box(view, frame, low, high, label, board)
    low, high = (-wide / 2, 0, -0.45), (wide / 2, tall, -0.15)
    box(view, frame, low, high, label, case)
    radius = tall * 0.14
    for k, tint in enumerate((GREEN, YELLOW, RED)):
        lamp = tint * 1.15 if k == lit else tint * 0.25 + 12
        centre = frame.at(-radius, tall * (0.18 + 0.32 * k) - radius, -0.46)
        size = (2 * radius, 2 * radius)
        shape, paint = Disc(size), site.plain(lamp, 0.0)
        view.patch(centre, frame.right, UP, size, paint, label, shape, lit=False)


def draw_sign(site: Site, foot: np.ndarray) -> None:
    """Draw a post with one or two signs."""
    height = site.between(1.9, 2.5)
    count = 2 if site.chance(0.3) else 1
    top = UP * (height + 0.9 * count)
    rod(
        site.view, foot, foot + top, site.between(0.05, 0.08), IDS['pole'], _metal(site)
    )
    for k in range(count):
        draw_plate(site, foot + UP * (height + 0.95 * k))
    site.shade(Frame(foot * [1, 0, 1]).footprint(0.15, 0.15), height + 1)


def draw_plate(site: Site, bottom: np.ndarray) -> None:
    """Draw a sign that faces the traffic, in front of its pole."""
    size = site.between(1.0, 1.35)
    kind = int(site.rng.integers(5))
    shape, rim, face = _design(kind, size)
    if kind == 4:
        face = (WHITE, BLUE, YELLOW, vivid(site.rng))[int(site.rng.integers(4))]
    frame = Frame(bottom, site.between(-20, 20))
    label = IDS['traffic sign']
    weather = site.between(0.75, 1.05)
    for k, (part, tint) in enumerate(((1.0, rim), (0.74, face), (0.3, BLACK))):
        if k == 2 and not site.chance(0.7):
            break
        side = size * part
        gap = (size - side) / 2
        corner = frame.at(-side / 2, gap, -0.12 - 0.01 * k)
        own = shape(side) if k < 2 else None
        wide = (side, side) if k < 2 else (side, side * 0.7)
        paint = site.plain(tint * weather, 0.05, 0.4)
        site.view.patch(corner, frame.right, UP, wide, paint, label, own)


def _design(kind: int, size: float):
    """Outline, colour of the rim and of the face of a kind of sign."""
    return (
        (_round, RED, WHITE),
        (_triangle, RED, WHITE),
        (_round, BLUE, BLUE * 1.1),
        (_diamond, WHITE, YELLOW),
        (_square, WHITE, BLUE),
    )[kind]


def _round(side: float) -> Shape:
    return Disc((side, side))


def _triangle(side: float) -> Shape:
    return Outline(np.array([[0, 0.05], [1, 0.05], [0.5, 0.95]]) * side)


def _diamond(side: float) -> Shape:
    return Outline(np.array([[0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5]]) * side)


def _square(side: float) -> Shape:
    return Outline(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side)
