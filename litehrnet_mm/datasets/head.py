"""The head of a figure: skull, face, ears, hair and hats."""

from __future__ import annotations

import numpy as np

from litehrnet_mm.datasets.body import FACE, LEFT_EAR, RIGHT_EAR, Body, Palette
from litehrnet_mm.datasets.canvas import Canvas
from litehrnet_mm.datasets.clothes import Look
from litehrnet_mm.datasets.skeleton import face_points

NORMALS = {
    'nose': np.array([0.0, 0.0, 1.0]),
    'left_eye': np.array([0.37, 0.08, 0.925]),
    'right_eye': np.array([-0.37, 0.08, 0.925]),
}
"""Which way the facial points look, in the axes of the head."""

HAIRLINES = {
    'short': -0.06,
    'crop': -0.02,
    'bob': -0.14,
    'long': -0.10,
    'ponytail': 0.0,
    'bun': 0.0,
    'afro': -0.05,
}
"""How high the hair begins; lower values cover more of the skull."""


def draw_head(canvas: Canvas, body: Body, look: Look, palette: Palette) -> None:
    """Draw the head of a posed body."""
    centre, axes = body.points['head'], body.skull
    radii = body.build.head_radii * body.scale
    skin = palette.add(look.skin, FACE)
    canvas.ellipsoid(centre, axes, radii, _face_paint(look, palette, skin))
    _draw_nose_and_ears(canvas, body, look, palette, radii)
    _draw_hair(canvas, body, look, palette, radii)
    if look.hair_style == 'cap':
        _draw_cap(canvas, body, look, palette, radii)


def _face_paint(look: Look, palette: Palette, skin: int):
    white = palette.add([244, 246, 248], FACE)
    iris = palette.add([38, 30, 28], FACE)
    brow = palette.add(look.hair * 0.7, FACE)
    lips = palette.add(look.skin * [0.62, 0.58, 0.82], FACE)
    blush = palette.add(np.minimum(look.skin * [0.88, 0.9, 1.03], 255), FACE)
    beard = palette.add(look.hair * 0.9 + look.skin * 0.08, FACE)
    frame = palette.add([30, 30, 34], FACE)

    def paint(x, y, z):
        side = np.abs(x)
        label = np.full(x.shape, skin, np.uint8)
        front = z > 0
        label[(((side - 0.48) / 0.2) ** 2 + ((y + 0.26) / 0.15) ** 2 < 1) & front] = (
            blush
        )
        if look.beard:
            chin = (y < -0.3 - 0.12 * np.cos(side * 3)) & (z > -0.15)
            label[chin | ((side > 0.78) & (y < 0.1) & (z > 0.05))] = beard
        smile = y + 0.52 - 0.5 * side * side
        label[(np.abs(smile) < 0.055) & (side < 0.28) & front] = lips
        eye_x, eye_y = side - 0.37, y - 0.08
        label[((eye_x / 0.185) ** 2 + (eye_y / 0.125) ** 2 < 1) & front] = white
        label[(eye_x**2 + eye_y**2 < 0.0115) & front] = iris
        arch = y - 0.31 + 0.5 * eye_x * eye_x
        label[(np.abs(arch) < 0.045) & (np.abs(eye_x) < 0.2) & front] = brow
        if look.glasses:
            ring = (eye_x / 0.29) ** 2 + (eye_y / 0.25) ** 2
            label[(ring > 0.72) & (ring < 1.25) & front] = frame
            label[(np.abs(eye_y) < 0.05) & ((side < 0.1) | (side > 0.64)) & (z > 0)] = (
                frame
            )
        return label

    return paint


def _draw_nose_and_ears(canvas, body, look, palette, radii) -> None:
    centre, axes = body.points['head'], body.skull
    nose = palette.add(look.skin * [0.86, 0.88, 0.97], FACE)
    tip = centre + axes @ (radii * np.array([0, -0.14, 0.95]))
    canvas.ellipsoid(tip, axes, radii * np.array([0.125, 0.17, 0.2]), nose)
    points = face_points()
    for part, name in ((LEFT_EAR, 'left_ear'), (RIGHT_EAR, 'right_ear')):
        ear = palette.add(look.skin * [0.86, 0.88, 0.96], part)
        position = centre + axes @ (radii * points[name])
        canvas.ellipsoid(position, axes, radii * np.array([0.13, 0.25, 0.17]), ear)


def _draw_hair(canvas, body, look, palette, radii) -> None:
    style = look.hair_style
    if style == 'bald':
        return
    centre, axes = body.points['head'], body.skull
    hair = palette.add(look.hair)
    line = HAIRLINES.get(style, 0.05)

    def shell(x, y, z):
        edge = 0.74 * y - 0.67 * z - line - 0.05 * np.sin(9 * x)
        drop = (np.abs(x) > 0.8) & (z < 0.35) & (y > -2.2 * (0.1 - line))
        return np.where((edge > 0) | drop, hair, 0).astype(np.uint8)

    size = {'afro': 1.34, 'crop': 1.035, 'bob': 1.13, 'long': 1.11}.get(style, 1.08)
    lift = np.array([0, 0.03, -0.02]) * (4 if style == 'afro' else 1)
    canvas.ellipsoid(centre + axes @ (radii * lift), axes, radii * size, shell)
    _draw_hair_extras(canvas, body, style, hair, radii)


def _draw_hair_extras(canvas, body, style, hair: int, radii) -> None:
    centre, axes = body.points['head'], body.skull

    def at(x, y, z):
        return centre + axes @ (radii * np.array([x, y, z]))

    if style == 'long':
        size = radii * np.array([1.16, 1.35, 0.62])
        canvas.ellipsoid(at(0, -0.62, -0.62), axes, size, hair)
    elif style == 'bob':
        size = radii * np.array([1.2, 0.95, 0.72])
        canvas.ellipsoid(at(0, -0.25, -0.45), axes, size, hair)
    elif style == 'ponytail':
        size = radii[0]
        canvas.capsule(
            at(0, 0.35, -1.1), at(0, -1.0, -1.55), 0.34 * size, 0.2 * size, hair
        )
    elif style == 'bun':
        canvas.ellipsoid(at(0, 0.95, -0.55), axes, np.full(3, radii[0] * 0.48), hair)


def _draw_cap(canvas, body, look, palette, radii) -> None:
    centre, axes = body.points['head'], body.skull
    cloth, brim = palette.add(look.hat), palette.add(look.hat * 0.7)

    def crown(x, y, z):
        return np.where(y > 0.33, cloth, 0).astype(np.uint8)

    canvas.ellipsoid(centre, axes, radii * 1.13, crown)
    peak = centre + axes @ (radii * np.array([0, 0.42, 0.95]))
    canvas.ellipsoid(peak, axes, radii * np.array([0.75, 0.09, 0.62]), brim)
