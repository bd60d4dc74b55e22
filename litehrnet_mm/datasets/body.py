"""Trunk, limbs and seat of a figure, dressed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from litehrnet_mm.datasets.canvas import Canvas
from litehrnet_mm.datasets.clothes import Look
from litehrnet_mm.datasets.skeleton import SIDES, Build, rot_x, rot_y

BODY, FACE, LEFT_EAR, RIGHT_EAR, PROP = range(1, 6)
"""Parts of the picture, as far as visibility has to tell them apart."""

THICKNESS = {
    'shoulder': 0.095,
    'elbow': 0.060,
    'wrist': 0.052,
    'hip': 0.105,
    'knee': 0.080,
    'ankle': 0.065,
}
"""How far in front of a joint its own surface may lie, in standing heights."""

# Height, half width and half depth of the trunk, in standing heights. The heights of
# 0 and 0.288 are the hip joints and the base of the neck.
TRUNK = np.array(
    [
        [-0.075, 0.070, 0.052],
        [-0.040, 0.098, 0.070],
        [0.000, 0.108, 0.076],
        [0.050, 0.098, 0.069],
        [0.100, 0.086, 0.060],
        [0.150, 0.093, 0.064],
        [0.200, 0.107, 0.069],
        [0.235, 0.114, 0.068],
        [0.258, 0.114, 0.062],
        [0.276, 0.102, 0.054],
        [0.289, 0.080, 0.046],
        [0.300, 0.058, 0.038],
        [0.310, 0.034, 0.030],
    ]
)


@dataclass(frozen=True)
class Body:
    """A posed body on the canvas.

    Attributes:
        points: Joints in canvas pixels, shape (3,) each.
        torso: Axes of the torso as columns, in canvas directions, shape (3, 3).
        skull: Axes of the head, likewise.
        build: Its proportions.
        scale: Standing height in canvas pixels.
    """

    points: dict
    torso: np.ndarray
    skull: np.ndarray
    build: Build
    scale: float


class Palette:
    """Labels of a canvas, each with a colour and the part it belongs to."""

    def __init__(self) -> None:
        self._colours = [np.zeros(3)]
        self._parts = [0]

    def add(self, colour, part: int = BODY) -> int:
        """Register a BGR colour of shape (3,) and return its label."""
        self._colours.append(np.asarray(colour, np.float64))
        self._parts.append(part)
        return len(self._colours) - 1

    def colours(self) -> np.ndarray:
        """BGR of every label, shape (L, 3)."""
        return np.array(self._colours)

    def parts(self) -> np.ndarray:
        """Part of every label, shape (L,)."""
        return np.array(self._parts, np.uint8)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product of two vectors; much quicker than NumPy's for a single pair."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def draw_trunk(canvas: Canvas, body: Body, look: Look, palette: Palette) -> None:
    """Draw neck, torso, skirt and backpack."""
    build, scale = body.build, body.scale
    skin = palette.add(look.skin * 0.94)
    neck, head = body.points['neck'], body.points['head']
    canvas.capsule(neck, head, 0.040 * scale * build.width, 0.036 * scale, skin)
    profile = _profile(build, scale)
    paint = _top_paint(look, palette, body, skin)
    canvas.loft(body.points['pelvis'], body.torso, profile, paint)
    if look.skirt:
        _draw_skirt(canvas, body, look, palette)
    if look.backpack:
        _draw_backpack(canvas, body, look, palette)


def _draw_backpack(canvas: Canvas, body: Body, look: Look, palette: Palette) -> None:
    bag, pocket = palette.add(look.bag), palette.add(look.bag * 0.75)
    t = np.linspace(-1, 1, 24)[:, None]
    size = np.array([[0.115, 0.082, 0.050]]) * body.scale
    profile = size * np.concatenate([t, np.repeat((1 - t**6) ** 0.3, 2, 1)], 1)
    profile[:, 1:] += 0.004 * body.scale
    centre = body.points['neck'] + body.torso @ (
        body.scale * np.array([0, -0.135, -0.078 * body.build.width])
    )

    def paint(x, y, _):
        low = y < -0.02 * body.scale
        return np.where(low & (np.abs(x) < 0.75), pocket, bag).astype(np.uint8)

    canvas.loft(centre, body.torso, profile, paint)


def _profile(build: Build, scale: float) -> np.ndarray:
    heights = np.linspace(TRUNK[0, 0], TRUNK[-1, 0], 64)
    columns = [np.interp(heights, TRUNK[:, 0], TRUNK[:, k]) for k in (1, 2)]
    wide = np.clip((heights - 0.1) / 0.1, 0, 1)
    shoulder = 1 + wide * (build.shoulder / 0.112 - 1)
    heights = heights * build.torso / 0.288
    return scale * np.stack(
        [heights, columns[0] * shoulder * build.width, columns[1] * build.width], 1
    )


def _top_paint(look: Look, palette: Palette, body: Body, skin: int):
    scale = body.scale
    top, accent = palette.add(look.top), palette.add(look.accent)
    bottom, belt = palette.add(look.bottom), palette.add(look.bottom * 0.45)
    waist = 0.055 if look.pattern == 'block' else 0.028
    neckline = 0.29 if look.sleeve > 0 else 0.272

    def paint(x, y, z):
        y = y / np.float32(scale * body.build.torso / 0.288)
        label = np.where(_pattern(look, x, y, z), accent, top).astype(np.uint8)
        if look.jacket:
            label[(np.abs(x) < 0.28) & (z > 0)] = accent
        label[y < waist] = bottom
        label[(y < waist) & (y > waist - 0.018)] = belt
        opening = neckline + 0.012 * np.abs(x) * 2 - 0.03 * (z > 0) * (1 - np.abs(x))
        label[y > opening] = skin
        return label

    return paint


def _pattern(look: Look, x, y, z) -> np.ndarray:
    """Where the accent colour shows, on the unit circle (x, z) and at height y."""
    angle = np.arctan2(x, np.abs(z))
    rows, cols = np.floor(y / 0.032), np.floor(angle / 0.30)
    if look.pattern == 'stripes':
        return rows % 2 == 0
    if look.pattern == 'pinstripes':
        return np.floor(angle / 0.16) % 2 == 0
    if look.pattern == 'checks':
        return (rows + cols) % 2 == 0
    if look.pattern == 'block':
        return y < 0.15
    if look.pattern == 'band':
        return (y > 0.15) & (y < 0.2)
    if look.pattern == 'print':
        return (x * x + ((y - 0.19) / 0.045) ** 2 < 0.2) & (z > 0)
    return np.zeros(y.shape, bool)


def _draw_skirt(canvas: Canvas, body: Body, look: Look, palette: Palette) -> None:
    points, scale = body.points, body.scale
    hips = points['pelvis'] + body.torso @ (scale * np.array([0, 0.03, 0]))
    knees = 0.5 * (points['left_knee'] + points['right_knee'])
    hem = points['pelvis'] + look.skirt * (knees - points['pelvis'])
    down = hem - hips
    length = np.linalg.norm(down)
    up = -down / length
    across = body.torso[:, 0] - up * (up @ body.torso[:, 0])
    across /= np.linalg.norm(across)
    axes = np.stack([across, up, -cross(across, up)], 1)
    spread = abs((points['left_knee'] - points['right_knee']) @ across)
    ahead = abs((points['left_knee'] - points['right_knee']) @ axes[:, 2])
    t = np.linspace(0, 1, 48)[:, None]
    width = body.build.width * scale
    start = np.array([[0.114, 0.084]]) * width
    reach = np.array([[spread, ahead]]) * 0.5 * min(look.skirt, 1.0)
    end = reach + np.array([[0.085, 0.085]]) * width
    end = np.maximum(end, start * 1.25)
    profile = np.concatenate([(t - 1) * length, start * t + end * (1 - t)], 1)
    canvas.loft(hips, axes, profile, palette.add(look.bottom))


def draw_arms(canvas: Canvas, body: Body, look: Look, palette: Palette) -> None:
    """Draw both arms with hands and sleeves."""
    points, width = body.points, body.scale * body.build.width
    skin, cloth = palette.add(look.skin), palette.add(look.top * 0.97)
    stripe = palette.add(look.accent)
    striped = look.pattern == 'stripes' and look.sleeve > 1

    def paint(t, _):
        return np.where(np.floor(t * 5) % 2 == 0, stripe, cloth).astype(np.uint8)

    for side in SIDES:
        joints = [points[f'{side}_{name}'] for name in ('shoulder', 'elbow', 'wrist')]
        radii = np.array([0.036, 0.029, 0.022]) * width
        draw_limb(canvas, joints, radii, skin, start=look.sleeve)
        sleeve = paint if striped else cloth
        draw_limb(canvas, joints, radii + 0.005 * width, sleeve, look.sleeve)
        _draw_hand(canvas, body, side, skin)


def draw_limb(canvas: Canvas, joints, radii, paint, end=2.0, start=0.0) -> None:
    """Draw two segments up to ``end`` (1 is the middle joint, 2 the last one).

    Segments that lie before ``start`` are left out, since clothes hide them.
    """
    for k in range(int(start), 2):
        part = min(end - k, 1.0)
        if part <= 0:
            return
        stop = joints[k] + part * (joints[k + 1] - joints[k])
        radius = radii[k] + part * (radii[k + 1] - radii[k])
        canvas.capsule(joints[k], stop, radii[k], radius, paint, flat=part < 1)


def _draw_hand(canvas: Canvas, body: Body, side: str, skin: int) -> None:
    wrist, hand = body.points[f'{side}_wrist'], body.points[f'{side}_hand']
    axis = (hand - wrist) / np.linalg.norm(hand - wrist)
    across = cross(axis, body.torso[:, 0])
    norm = np.linalg.norm(across)
    across = across / norm if norm > 0.1 else body.torso[:, 1]
    axes = np.stack([cross(across, axis), axis, across], 1)
    scale = body.scale
    canvas.ellipsoid(hand, axes, np.array([0.021, 0.040, 0.027]) * scale, skin)
    thumb = wrist + 0.022 * scale * axis
    tip = thumb + scale * (0.024 * axis + 0.026 * across)
    canvas.capsule(thumb, tip, 0.011 * scale, 0.009 * scale, skin)


def draw_legs(canvas: Canvas, body: Body, look: Look, palette: Palette) -> None:
    """Draw both legs with shoes and trousers."""
    points, width = body.points, body.scale * body.build.width
    skin, cloth = palette.add(look.skin * 0.97), palette.add(look.bottom)
    shoe, sole = palette.add(look.shoe), palette.add(look.shoe * 0.5 + 90)
    for side in SIDES:
        joints = [points[f'{side}_{name}'] for name in ('hip', 'knee', 'ankle')]
        radii = np.array([0.050, 0.041, 0.027]) * width
        draw_limb(canvas, joints, radii, skin, start=look.leg)
        draw_limb(canvas, joints, radii + 0.005 * width, cloth, look.leg)
        heel, toe = points[f'{side}_heel'], points[f'{side}_toe']
        canvas.capsule(heel, toe, 0.029 * width, 0.024 * width, shoe)
        drop = np.array([0, 0.014 * width, 0])
        canvas.capsule(heel + drop, toe + drop, 0.024 * width, 0.020 * width, sole)


def draw_seat(canvas, body, look, palette, yaw, pitch, ground: float) -> None:
    """Draw a block below the thighs, from the hips down to the ground."""
    scale, points = body.scale, body.points
    axes = np.diag([1.0, -1.0, 1.0]) @ rot_x(pitch) @ rot_y(yaw)
    seat = points['pelvis'] - axes @ (scale * np.array([0, 0.072, 0]))
    top = min(seat[1], ground - 0.1 * scale)
    depth = (ground - top) / max(np.cos(np.radians(pitch)), 0.5)
    half = np.array([0.15, 0.0, 0.12]) * scale
    half[1] = 0.5 * max(depth - 0.03 * scale, 0.1 * scale)
    centre = seat - axes[:, 1] * half[1] + axes[:, 2] * 0.02 * scale
    canvas.box(centre, axes, half, palette.add(look.seat, PROP))
