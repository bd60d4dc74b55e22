"""Cars, trucks, buses and trams."""

from __future__ import annotations

import numpy as np

from litehrnet_mm.datasets.clothes import vivid
from litehrnet_mm.datasets.streets.classes import IDS
from litehrnet_mm.datasets.streets.ground import EAST, NORTH
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import UP, Frame, box, disc, prism, rod
from litehrnet_mm.datasets.streets.surfaces import Blocks, Boxed, Windows
from litehrnet_mm.datasets.streets.view import Paint

GLASS = np.array([70, 60, 52.0])
TYRE = np.array([34, 33, 33.0])
LAMP, TAIL = np.array([225, 235, 240.0]), np.array([40, 30, 185.0])


def _wheels(site: Site, frame: Frame, label: int, half, radius: float, axles) -> None:
    tyre = site.plain(TYRE, 0.1, 0.2)
    rim = site.plain(np.full(3, site.between(90, 190)), 0.1, 0.1)
    plane = frame.forward, UP
    for z in axles:
        for side in (-1, 1):
            inner = frame.at(side * (half - 0.3), radius, z)
            centre = frame.at(side * (half + 0.015), radius, z)
            disc(site.view, centre, plane, radius, label, tyre)
            hub = frame.at(side * (half + 0.02), radius, z)
            disc(site.view, hub, plane, radius * 0.6, label, rim)
            # Seen from ahead or behind a tyre is an upright bar.
            for part in (inner, centre):
                foot = part - UP * radius
                rod(site.view, foot, foot + UP * 2 * radius, 0.1, label, tyre)


def _ends(site: Site, paint: Paint, wide: float, level: float, rear: bool) -> Paint:
    """Lamps and a number plate on the front or the rear of a vehicle."""
    lamp = TAIL * site.between(0.8, 1.2) if rear else LAMP
    size = site.between(0.22, 0.4)
    boxes = [(0.08, 0.08 + size, level, level + 0.18)]
    boxes.append((wide - 0.08 - size, wide - 0.08, level, level + 0.18))
    colours = [lamp, lamp]
    if not rear:
        boxes.append((0.5, wide - 0.5, level - 0.05, level + 0.12))
        colours.append(TYRE * 1.2)
    middle = wide / 2
    boxes.append((middle - 0.26, middle + 0.26, level - 0.2, level - 0.08))
    colours.append(LAMP * 0.9)
    return Boxed(paint, tuple(boxes), tuple(colours))


def draw_car(site: Site, frame: Frame) -> None:
    """Draw a car: a saloon, an estate, a hatchback or a van."""
    label, view = IDS['car'], site.view
    paint = site.plain(site.lacquer(), 0.04, 1.5)
    long, half = site.between(3.7, 4.8), site.between(0.84, 0.95)
    roof = site.between(1.38, 1.75)
    belt = roof * site.between(0.54, 0.62)
    front, rear = long / 2, -long / 2
    rise = site.between(0.15, 0.75) if site.chance(0.6) else 0.02
    hood = front - site.between(0.75, 1.15)
    body = [(rear, 0.28), (front, 0.28), (front, belt - 0.2), (hood, belt)]
    body = np.array([*body, (rear + 0.05, belt)])
    edges = {
        1: _ends(site, paint, 2 * half, 0.3, rear=False),
        4: _Flipped(_ends(site, paint, 2 * half, 0.3, rear=True), belt - 0.28),
    }
    prism(view, frame, body, half, label, _Sill(paint), edges)
    tail = rear + (site.between(0.3, 0.9) if rise > 0.1 else 0.12)
    cabin = np.array(
        [
            (tail - 0.02, belt),
            (hood + 0.15, belt),
            (hood - site.between(0.5, 0.8), roof),
            (tail + 0.35 * rise + 0.1, roof),
        ]
    )
    glass = site.plain(GLASS * site.between(0.6, 1.8), 0.25, 1.2)
    pillar = _Pillars(paint, glass, cabin[1, 0] - cabin[0, 0], roof - belt)
    screens = {1: _Rim(paint, glass, 2 * half - 0.24), 2: paint}
    screens[3] = _Rim(paint, glass, 2 * half - 0.24)
    prism(view, frame, cabin, half - 0.12, label, pillar, screens)
    _wheels(site, frame, label, half, 0.32, (rear + 0.8, front - 0.85))
    site.shade(frame.footprint(2 * half, long), roof * 0.8)


class _Flipped:
    """A paint whose second direction runs downwards from a height."""

    def __init__(self, paint: Paint, height: float) -> None:
        self.paint, self.height = paint, height

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self.paint(u, self.height - v)


class _Sill:
    """A body that is darker close to the ground."""

    def __init__(self, paint: Paint) -> None:
        self.paint = paint

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        tone = np.where(v < 0.1, 0.4, np.where(np.abs(v - 0.42) < 0.02, 0.75, 1.0))
        return self.paint(u, v) * tone[:, None]


class _Rim:
    """Glass in a frame of the body's colour."""

    def __init__(self, paint: Paint, glass: Paint, wide: float) -> None:
        self.paint, self.glass, self.wide = paint, glass, wide

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        inside = (u > 0.08) & (u < self.wide - 0.08) & (v > 0.05)
        return np.where(inside[:, None], self.glass(u, v), self.paint(u, v))


class _Pillars:
    """The windows at the side of a car."""

    def __init__(self, paint: Paint, glass: Paint, long: float, tall: float) -> None:
        self.paint, self.glass, self.long, self.tall = paint, glass, long, tall

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        pillar = (np.abs(u - 0.5 * self.long) < 0.05) | (v > self.tall - 0.07)
        return np.where(pillar[:, None], self.paint(u, v), self.glass(u, v))


def draw_truck(site: Site, frame: Frame) -> None:
    """Draw a truck: a cab, and a box, a tarpaulin or a tipper behind it."""
    label, view = IDS['truck'], site.view
    tint = site.typical((235, 235, 235), (70, 110, 190), (60, 140, 80))
    paint = site.plain(tint, 0.05, 1.5)
    long, half = site.between(6.0, 8.5), 1.22
    top, cab = site.between(2.9, 3.7), site.between(1.7, 2.2)
    front, rear = long / 2, -long / 2
    chassis = site.plain(TYRE * 1.3, 0.2, 0.5)
    box(
        view, frame, (-half + 0.1, 0.5, rear), (half - 0.1, 0.95, front), label, chassis
    )
    glass = GLASS * site.between(0.6, 1.5)
    high = site.between(2.5, 2.9)
    face = Boxed(
        _ends(site, paint, 2 * half, 0.25, rear=False),
        ((0.15, 2 * half - 0.15, high - 1.45, high - 0.6), (0.4, 2.0, 0.6, 0.8)),
        (glass, TYRE * 1.5),
    )
    door = Boxed(paint, ((0.7, cab - 0.2, high - 1.45, high - 0.65),), (glass,))
    low, up = (-half, 0.45, front - cab), (half, high, front)
    box(view, frame, low, up, label, paint, front=face, left=door, right=door)
    _draw_load(site, frame, (rear, front - cab - 0.15), top, half)
    _wheels(site, frame, label, half, 0.48, (rear + 1.0, rear + 2.1, front - 1.1))
    site.shade(frame.footprint(2 * half, long), top)


def _draw_load(site: Site, frame: Frame, ends, top: float, half: float) -> None:
    rear, front = ends
    label, kind = IDS['truck'], site.between(0, 1)
    tint = site.typical((235, 235, 235), (70, 110, 190), (60, 140, 80))
    base = site.plain(tint, 0.07, 1.2)
    side: Paint = base
    if kind < 0.5:
        stripe = 0.35 * top
        name = (0.8, front - rear - 0.8, stripe, stripe + site.between(0.4, 0.9))
        side = Boxed(base, (name,), (vivid(site.rng),))
    elif kind < 0.75:
        side = Blocks(base, tint * 0.6, (0.35, 9.0), 0.06, vary=0.05)
    else:
        top = site.between(1.9, 2.4)
        side = Blocks(base, tint * 0.6, (9.0, 0.4), 0.05, vary=0.1)
    doors = Boxed(
        base,
        ((half - 0.03, half + 0.03, 0, 9), (0, 9, 0, 0.12), (0.3, 0.4, 0.2, 2)),
        (tint * 0.5, TYRE * 1.5, np.full(3, 150.0)),
    )
    low, high = (-half - 0.03, 0.95, rear), (half + 0.03, top, front)
    box(site.view, frame, low, high, label, side, back=doors, front=base, top=base)
    tail = frame.at(-half, 0.6, rear - 0.02)
    lamps = _ends(site, site.plain(TYRE * 1.5), 2 * half, 0.1, rear=True)
    site.view.patch(tail, frame.right, UP, (2 * half, 0.35), lamps, label)


def draw_bus(site: Site, frame: Frame) -> None:
    """Draw a city bus."""
    label, view = IDS['bus'], site.view
    rng, half, top = site.rng, 1.27, site.between(2.95, 3.25)
    tint = site.typical((250, 200, 40), (245, 150, 40))
    paint = site.plain(tint, 0.04, 2)
    long = site.between(9, 12)
    glass = GLASS * site.between(0.5, 1.5)
    pane = site.between(1.2, 1.7)
    side: Paint = Windows(
        paint, site.noise, glass, TYRE, (pane, 1.3), (pane - 0.1, 1.05), (0.95, 2.25)
    )
    band = vivid(rng) if site.chance(0.5) else tint * 0.75
    doors = [(long - 1.8, long - 0.7, 0.05, 2.3), (long / 2, long / 2 + 1.3, 0.05, 2.3)]
    side = Boxed(
        side, ((0, long, 0.35, 0.55), *doors), (band, glass * 0.8, glass * 0.8)
    )
    wide = 2 * half
    face = Boxed(
        _ends(site, paint, wide, 0.3, rear=False),
        (
            (0.1, wide - 0.1, 0.75, top - 0.85),
            (0.35, wide - 0.35, top - 0.75, top - 0.45),
        ),
        (glass, TYRE),
    )
    sign = (0.6, wide - 0.6, top - 0.68, top - 0.52)
    face = Boxed(face, (sign,), (np.array([40, 170, 250.0]),))
    back = Boxed(
        _ends(site, paint, wide, 0.35, rear=True),
        ((0.25, wide - 0.25, 1.3, top - 0.7), (0.5, wide - 0.5, 0.6, 0.95)),
        (glass, TYRE * 1.3),
    )
    low, high = (-half, 0.3, -long / 2), (half, top, long / 2)
    box(
        *(view, frame, low, high, label, paint),
        **dict(left=side, right=side, front=face, back=back),
    )
    _wheels(site, frame, label, half, 0.5, (-long / 2 + 2.6, long / 2 - 2.7))
    site.shade(frame.footprint(wide, long), top)


TRAM_CAR = 10.0
"""Metres from one car of a tram to the next."""


def draw_train(site: Site, frame: Frame, cars: int = 2) -> None:
    """Draw a tram of some cars; the frame is at the middle of the whole."""
    label, view = IDS['train'], site.view
    half, top, long = 1.28, site.between(3.3, 3.6), TRAM_CAR - 0.5
    glass = GLASS * site.between(0.5, 1.3)
    wall, side = _tram_paints(site, glass)
    under, steel = site.plain(TYRE, 0.2, 0.6), site.plain(np.full(3, 120.0))
    first = TRAM_CAR * (cars - 1) / 2
    for k in range(cars):
        z = first - k * TRAM_CAR
        low, high = (-half, 0.35, z - long / 2), (half, top, z + long / 2)
        box(view, frame, low, high, label, wall, left=side, right=side)
        low, high = (-1.1, 0.05, z - long / 2 + 1), (1.1, 0.35, z + long / 2 - 1)
        box(view, frame, low, high, label, under)
        box(view, frame, (-0.8, top, z - 2), (0.8, top + 0.3, z + 2), label, steel)
    for k in range(1, cars):  # bellows
        z = first - (k - 0.5) * TRAM_CAR
        low, high = (-half + 0.15, 0.4, z - 0.3), (half - 0.15, top - 0.1, z + 0.3)
        box(view, frame, low, high, label, under)
    for sign in (1, -1):
        _draw_nose(site, frame, (sign * (first + long / 2), sign), wall, glass, top)
    for z in (first, first - 0.9):  # the pantograph
        foot = frame.at(0, top + 0.3, z)
        rod(view, foot, frame.at(0, top + 1.1, z + 0.5), 0.05, label, under)
    site.shade(frame.footprint(2 * half, cars * TRAM_CAR), top)


def _tram_paints(site: Site, glass: np.ndarray) -> tuple[Paint, Paint]:
    """Paints of a tram without and with its windows and doors."""
    base = site.plain(site.typical((215, 40, 40), (160, 25, 45)), 0.04, 2)
    lower = site.typical((240, 238, 230))
    skirt = (0, 99, 0, site.between(0.6, 0.9))
    wall = Boxed(base, (skirt, (0, 99, 2.55, 2.7)), (lower, lower))
    panes = Windows(
        wall, site.noise, glass, glass * 0.6, (1.55, 1.3), (1.3, 1.05), (1.1, 2.4)
    )
    doors = tuple((a, a + 1.3, 0.1, 2.4) for a in (1.0, 4.2, 7.4))
    return wall, Boxed(panes, doors, (lower * 0.8,) * 3)


def _draw_nose(site: Site, frame: Frame, end, wall: Paint, glass, top: float) -> None:
    """Draw the slanting end of a tram, ``end`` = where it begins and its direction."""
    z, sign = end
    profile = np.array([(0, 0.35), (0.7, 0.35), (0.75, 1.15), (0.25, top), (0, top)])
    profile[:, 0] = z + sign * profile[:, 0]
    wide = 2.5
    screen = Boxed(
        wall,
        ((0.15, wide - 0.15, 0.1, 1.35), (0.7, wide - 0.7, 1.55, 1.85)),
        (glass, np.array([40, 170, 250.0])),
    )
    lamps = Boxed(
        wall,
        ((0.2, 0.6, 0.3, 0.55), (wide - 0.6, wide - 0.2, 0.3, 0.55)),
        (LAMP if sign > 0 else TAIL,) * 2,
    )
    prism(
        *(site.view, frame, profile, wide / 2, IDS['train'], wall),
        {1: lamps, 2: screen},
    )


def draw_rails(site: Site, x: float) -> None:
    """Draw the rails of a tram in the road."""
    steel = site.plain(np.full(3, site.between(70, 170)), 0.1)
    for offset in (-0.72, 0.72):
        corner = np.array([x + offset - 0.05, 0.004, 0.5])
        site.view.patch(corner, EAST, NORTH, (0.1, 90.0), steel, IDS['road'])
