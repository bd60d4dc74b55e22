"""A whole street scene; every one is a function of ``(seed, index)`` alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import cos, radians, sin

import numpy as np

from litehrnet_mm.datasets.photograph import photograph
from litehrnet_mm.datasets.streets.classes import IDS
from litehrnet_mm.datasets.streets.furniture import draw_furniture
from litehrnet_mm.datasets.streets.ground import (
    KERB,
    Layout,
    draw_ground,
    sample_layout,
)
from litehrnet_mm.datasets.streets.lots import draw_lots, draw_tree
from litehrnet_mm.datasets.streets.riders import (
    draw_bicycle,
    draw_motorcycle,
    draw_person,
)
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import Frame
from litehrnet_mm.datasets.streets.surfaces import Noise
from litehrnet_mm.datasets.streets.vehicles import (
    TRAM_CAR,
    draw_bus,
    draw_car,
    draw_rails,
    draw_train,
    draw_truck,
)
from litehrnet_mm.datasets.streets.view import SAMPLES, Camera, Light, View

Rng = np.random.Generator
GROUND = [IDS[name] for name in ('road', 'sidewalk', 'terrain')]


def render_street(
    seed: int, index: int, size: tuple[int, int] = (256, 128)
) -> tuple[np.ndarray, np.ndarray]:
    """Draw scene ``index`` of the set ``seed``.

    Args:
        seed: Non-negative number of the set.
        index: Non-negative number of the scene in its set.
        size: Width and height in pixels. The scene does not depend on it.

    Returns:
        The image, BGR uint8 of shape (height, width, 3), and the label ids of
        Cityscapes, uint8 of shape (height, width): what a pixel's very centre shows.
    """
    rng = np.random.default_rng([seed, index])
    camera = Camera(
        focal=rng.uniform(0.9, 1.15),
        height=rng.uniform(1.5, 2.4),
        yaw=rng.uniform(-9, 9),
        pitch=rng.uniform(0, 5),
        roll=rng.uniform(-1.5, 1.5),
    )
    view = View(*size, camera, _sample_light(rng))
    site = Site(view, rng, Noise(rng))
    layout = sample_layout(rng)
    horizon = _draw_sky(site)
    draw_ground(site, layout)
    draw_lots(site, layout)
    _draw_large(site, layout)
    _draw_trees(site, layout)
    draw_furniture(site, layout)
    _draw_cars(site, layout)
    _draw_small(site, layout)
    if rng.random() < 0.25:
        _draw_bonnet(site)
    return _finish(site, horizon)


def _sample_light(rng: Rng) -> Light:
    height, turn = radians(rng.uniform(25, 65)), radians(rng.uniform(0, 360))
    sun = np.array([cos(height) * sin(turn), sin(height), cos(height) * cos(turn)])
    if rng.random() < 0.35:  # overcast
        return Light(sun, strength=0.08, ambient=rng.uniform(0.75, 0.95))
    return Light(sun, strength=rng.uniform(0.35, 0.6), ambient=rng.uniform(0.5, 0.68))


def _draw_sky(site: Site) -> np.ndarray:
    """Draw the sky, with clouds; returns the colour of the haze, BGR."""
    view, rng = site.view, site.rng
    height, width = view.depth.shape
    x = (np.arange(width) + 0.5 - view.centre[0]) / view.focal
    y = (np.arange(height)[:, None] + 0.5 - view.centre[1]) / view.focal
    rays = [
        view.axes[2][k] + view.axes[0][k] * x + view.axes[1][k] * y for k in range(3)
    ]
    rise = np.maximum(rays[1], 0.0) + 0.12
    grey = rng.uniform(170, 235)
    horizon = np.clip(grey + rng.normal(0, 6, 3), 150, 245)
    zenith = horizon * rng.uniform(0.75, 0.95)
    if not view.light.overcast:
        zenith = np.array([215, 160, 105]) * rng.uniform(0.75, 1.1)
    mix = np.minimum((rise - 0.12) * 1.8, 1.0)[..., None]
    colour = horizon + (zenith - horizon) * mix
    # Clouds lie in a plane high above, so they shrink towards the horizon.
    cloud = site.noise.smooth((rays[0] / rise).ravel(), (rays[2] / rise).ravel(), 2.5)
    cover = np.clip(cloud + rng.uniform(-0.4, 0.35), 0, 1).reshape(height, width, 1)
    light = rng.uniform(0.8, 1.05) * np.array([240, 240, 240])
    view.colour[:] = colour + (light - colour) * (0.9 * cover)
    view.label[:] = IDS['sky']
    return horizon


@dataclass(frozen=True)
class _Lane:
    """Where vehicles go or stand: position, and the way they face in degrees."""

    x: float
    heading: float


def _lanes(layout: Layout) -> list[_Lane]:
    lanes = [_Lane(0.3, 0), _Lane(layout.right - 1.15, 0)]
    lanes += [_Lane(layout.left + 1.15, 180), _Lane(-3.2, 180)]
    return [lane for lane in lanes if layout.left < lane.x - 0.9]


def _draw_large(site: Site, layout: Layout) -> None:
    """Draw trams, buses and trucks, before smaller things take their space."""
    cars = int(site.rng.integers(2, 4))
    for draw, length, chance in (
        (partial(draw_train, cars=cars), cars * TRAM_CAR, 0.36),
        (draw_bus, 11.5, 0.36),
        (draw_truck, 8.5, 0.4),
    ):
        if site.chance(chance):
            for _ in range(12):
                if _place_large(site, layout, draw, length):
                    break


def _place_large(site: Site, layout: Layout, draw, length: float) -> bool:
    """Draw a large vehicle unless something stands where it would."""
    if layout.crossing and site.chance(0.6):
        heading = float(site.rng.choice([-90, 90]))
        x, z = site.between(-7, 7), sum(layout.crossing) / 2 + site.between(-1, 1)
        taken = (length / 2, 1.4)
    else:
        lanes = _lanes(layout)
        lane = lanes[int(site.rng.integers(len(lanes)))]
        x, z, heading = lane.x, site.between(7, 14) + length / 2, lane.heading
        taken = (1.4, length / 2)
    if not site.claim(x, z, *taken):
        return False
    if isinstance(draw, partial) and taken[0] < taken[1]:
        draw_rails(site, x)
    draw(site, Frame(np.array([x, 0.0, z]), heading))
    return True


def _draw_trees(site: Site, layout: Layout) -> None:
    """Draw trees between road and lots."""
    for sign in (-1, 1):
        _, walk, lots = layout.side(sign)
        if lots - walk < 0.8 and site.chance(0.7):
            continue
        z = site.between(6, 14)
        while z < 70:
            x = sign * (walk + 0.4 * (lots - walk))
            if site.claim(x, z, 0.3, 0.3):
                draw_tree(site, np.array([x, 0.0, z]))
            z += site.between(6, 14)


def _draw_cars(site: Site, layout: Layout) -> None:
    lanes = _lanes(layout)
    for _ in range(int(site.rng.integers(1, 5))):
        lane = lanes[int(site.rng.integers(len(lanes)))]
        z = site.between(7, 20)
        if site.claim(lane.x, z, 1.0, 2.5):
            heading = lane.heading + site.rng.normal(0, 4)
            draw_car(site, Frame(np.array([lane.x, 0.0, z]), heading))
    if site.chance(0.3):
        x, z = site.between(-6, 6), site.between(8, 20)
        if site.claim(x, z, 2.4, 1.1):
            heading = float(site.rng.choice([-90, 90])) + site.between(-25, 25)
            draw_car(site, Frame(np.array([x, 0.0, z]), heading))


def _draw_small(site: Site, layout: Layout) -> None:
    """Draw cycles and persons, which are near enough to be seen."""
    for draw, most in ((draw_motorcycle, 2), (draw_bicycle, 2)):
        for _ in range(int(site.rng.integers(0, most + 1))):
            _place_cycle(site, layout, draw)
    for _ in range(int(site.rng.integers(1, 5))):
        sign = int(site.rng.choice([-1, 1]))
        kerb, walk, _ = layout.side(sign)
        x, ground = sign * site.between(kerb + 0.3, walk), KERB
        if site.chance(0.4):
            x, ground = site.between(layout.left, layout.right), 0.0
        z = site.between(6, 11)
        if site.claim(x, z, 0.3, 0.3):
            draw_person(site, np.array([x, ground, z]))


def _place_cycle(site: Site, layout: Layout, draw) -> None:
    ridden = site.chance(0.65)
    z = site.between(6, 10.5)
    x, ground = site.between(layout.left + 0.5, layout.right - 0.5), 0.0
    if ridden:
        heading = 0.0 if x > -1 else 180.0
        heading += site.between(-35, 35)
        if site.chance(0.35):
            heading = float(site.rng.choice([-90, 90])) + site.between(-30, 30)
    else:
        heading = site.between(0, 360)
        sign = int(site.rng.choice([-1, 1]))
        kerb, walk, _ = layout.side(sign)
        x, ground = sign * site.between(kerb - 0.6, walk), KERB
        if abs(x) < kerb:
            ground = 0.0
    if site.claim(x, z, 0.6, 0.6):
        draw(site, Frame(np.array([x, ground, z]), heading), ridden)


def _draw_bonnet(site: Site) -> None:
    """Draw the bonnet of the car that carries the camera, which is not evaluated."""
    view = site.view
    height, width = view.depth.shape
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height)[:, None] + 0.5) / height
    top = 1 - site.between(0.05, 0.11) * (1 - 0.5 * x * x)
    mask = y > top
    tint = site.lacquer() * 0.6
    shine = 0.7 + 2.5 * (y - top) + 0.1 * x
    view.colour[mask] = (tint * np.clip(shine, 0.3, 1.3)[..., None])[mask]
    view.depth[mask], view.label[mask] = 0, IDS['ego vehicle']


def _finish(site: Site, horizon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay shadows on the ground and haze over what is far, and take the picture."""
    view = site.view
    ground = np.isin(view.label, GROUND)
    dark = np.maximum(0.45 * view.below, 0.8 * view.light.strength * view.sunless)
    dark[~ground] = 0
    colour = view.colour * (1 - dark)[..., None]
    far = np.where(np.isinf(view.depth), 0.0, view.depth)
    haze = far / (far + site.between(120, 500))
    colour += (horizon - colour) * haze[..., None]
    image = np.clip(_average(colour), 0, 255).astype(np.float32)
    middle = slice(SAMPLES // 2, None, SAMPLES)
    labels = np.ascontiguousarray(view.label[middle, middle])
    return photograph(site.rng, image), labels


def _average(colour: np.ndarray) -> np.ndarray:
    """Mean of each pixel's samples, added up in an order that never changes."""
    total = np.zeros(())
    for row in range(SAMPLES):
        for column in range(SAMPLES):
            total = total + colour[row::SAMPLES, column::SAMPLES]
    return total / SAMPLES**2
