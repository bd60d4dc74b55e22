"""A whole street scene; every one is a function of ``(seed, index)`` alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import cos, radians, sin, tan

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
        focal=rng.uniform(0.95, 1.2),
        height=rng.uniform(1.5, 2.0),
        yaw=rng.uniform(-12, 12),
        pitch=rng.uniform(-1, 3),
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
    height, turn = radians(rng.uniform(40, 70)), radians(rng.uniform(0, 360))
    sun = np.array([cos(height) * sin(turn), sin(height), cos(height) * cos(turn)])
    if rng.random() < 0.3:  # overcast
        return Light(sun, strength=0.08, ambient=rng.uniform(0.82, 0.92))
    return Light(sun, strength=rng.uniform(0.35, 0.5), ambient=rng.uniform(0.58, 0.68))


def _draw_sky(site: Site) -> np.ndarray:
    """Draw the sky, with clouds; returns the colour of the haze, BGR."""
    view, rng = site.view, site.rng
    horizon = np.clip(rng.uniform(170, 235) + rng.normal(0, 6, 3), 150, 245)
    zenith = horizon * rng.uniform(0.75, 0.95)
    if not view.light.overcast:
        zenith = np.array([215, 160, 105]) * rng.uniform(0.75, 1.1)
    cloud = rng.uniform(0.8, 1.05) * np.array([240, 240, 240])
    east, up, north = view.rays()
    above = up > -0.03  # below, the ground hides it
    rise = np.maximum(up[above], 0.0) + 0.12
    # Clouds lie in a plane high above, so they shrink towards the horizon.
    cover = site.noise.smooth(east[above] / rise, north[above] / rise, 2.5)
    cover = 0.9 * np.clip(cover + rng.uniform(-0.4, 0.35), 0, 1)[:, None]
    clear = horizon + (zenith - horizon) * np.minimum((rise - 0.12) * 1.8, 1)[:, None]
    view.colour[:] = horizon
    view.colour[above] = clear + (cloud - clear) * cover
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
        (partial(_draw_tram, cars=cars), cars * TRAM_CAR, 0.34),
        (draw_bus, 11.5, 0.34),
        (draw_truck, 8.5, 0.34),
    ):
        if site.chance(chance):
            for _ in range(12):
                if _place_large(site, layout, draw, length):
                    break


def _draw_tram(site: Site, frame: Frame, cars: int) -> None:
    if abs(frame.heading) != 90:
        draw_rails(site, float(frame.origin[0]))
    draw_train(site, frame, cars)


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
    for _ in range(int(site.rng.integers(1, 4))):
        lane = lanes[int(site.rng.integers(len(lanes)))]
        z = site.between(7, 13)
        if site.claim(lane.x, z, 1.0, 2.5):
            heading = lane.heading + site.rng.normal(0, 4)
            draw_car(site, Frame(np.array([lane.x, 0.0, z]), heading))
    if site.chance(0.2):
        x, z = site.between(-6, 6), site.between(8, 20)
        if site.claim(x, z, 2.4, 1.1):
            heading = float(site.rng.choice([-90, 90])) + site.between(-25, 25)
            draw_car(site, Frame(np.array([x, 0.0, z]), heading))


def _draw_small(site: Site, layout: Layout) -> None:
    """Draw cycles and persons, near and side by side as the camera sees them."""
    count = int(site.rng.integers(2, 5))
    ahead = tan(radians(site.view.camera.yaw))
    for slot in site.rng.permutation(count):
        slope = ahead + 0.9 * ((slot + site.between(0.25, 0.75)) / count - 0.5)
        sign = 1 if slope > 0 else -1
        kerb, walk, _ = layout.side(sign)
        z = min(site.between(4.3, 6.5), (walk - 0.4) / abs(slope))
        x = slope * z
        if not site.claim(x, z, 0.5, 0.5):
            continue
        foot = np.array([x, KERB if abs(x) > kerb else 0.0, z])
        kind = site.between(0, 1)
        if kind < 0.4:
            draw_person(site, foot)
        else:
            _draw_cycle(site, foot, draw_bicycle if kind < 0.72 else draw_motorcycle)


def _draw_cycle(site: Site, foot: np.ndarray, draw) -> None:
    """Draw a cycle that is ridden along or across the street, or parked anyhow."""
    ridden = site.chance(0.75)
    heading = site.between(0, 360)
    if ridden:
        heading = (0.0 if foot[0] > -1 else 180.0) + site.between(-35, 35)
        if site.chance(0.4):
            heading = float(site.rng.choice([-90, 90])) + site.between(-30, 30)
    draw(site, Frame(foot, heading), ridden)


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
    haze = far / (far + site.between(250, 500))
    colour += (horizon - colour) * haze[..., None]
    image = np.clip(_average(colour), 0, 255).astype(np.float32)
    middle = slice(SAMPLES // 2, None, SAMPLES)
    labels = np.ascontiguousarray(view.label[middle, middle])
    return photograph(site.rng, image, grain=2, soft=0.1, exposure=0.3), labels


def _average(colour: np.ndarray) -> np.ndarray:
    """Mean of each pixel's samples, added up in an order that never changes."""
    total = np.zeros(())
    for row in range(SAMPLES):
        for column in range(SAMPLES):
            total = total + colour[row::SAMPLES, column::SAMPLES]
    return total / SAMPLES**2
