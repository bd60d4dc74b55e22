"""One person: joints and clothes in, pixels, depth and visible keypoints out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from litehrnet_mm.datasets import body as anatomy
from litehrnet_mm.datasets import head
from litehrnet_mm.datasets.canvas import FAR, Canvas
from litehrnet_mm.datasets.clothes import Look
from litehrnet_mm.datasets.skeleton import (
    KEYPOINTS,
    Build,
    Joints,
    Pose,
    forward_kinematics,
)

SUPERSAMPLING = 2
"""Canvas pixels per image pixel along each axis."""

FLIP = np.diag([1.0, -1.0, 1.0])
"""From ``y`` up to ``y`` down."""


@dataclass(frozen=True)
class Figure:
    """A rendered person; the window it covers may reach out of the image.

    Attributes:
        x: Left column of the window in image pixels.
        y: Top row of the window.
        colour: BGR times alpha, shape (H, W, 3), float32 in 0..255.
        alpha: Coverage by the person and what belongs to it, (H, W), 0..1.
        body: Pixels of the person, shape (H, W), bool.
        prop: Pixels of the seat, shape (H, W), bool.
        keypoints: Rows of x, y in image pixels and v, shape (17, 3). A pixel's centre
            has whole coordinates. v is 2 when seen, 1 when hidden by the own body or
            seat and 0 for the nose and eyes of a face that is turned away.
        feet: Points on the ground below the ankles in image pixels, shape (2, 2).
    """

    x: int
    y: int
    colour: np.ndarray
    alpha: np.ndarray
    body: np.ndarray
    prop: np.ndarray
    keypoints: np.ndarray
    feet: np.ndarray


def render_figure(
    pose: Pose, build: Build, look: Look, height: float, foot, pitch: float, light
) -> Figure:
    """Draw a person.

    Args:
        pose: What it does.
        build: Its proportions.
        look: Its clothes.
        height: Standing height in image pixels.
        foot: Where it stands, x and y in image pixels.
        pitch: Degrees by which the camera looks down.
        light: Direction to the light, shape (3,), ``y`` down, ``z`` to the viewer.

    Returns:
        The figure, anti-aliased by supersampling.
    """
    joints = forward_kinematics(pose, build, pitch)
    scale = height * SUPERSAMPLING
    points = {name: scale * (FLIP @ p) for name, p in joints.points.items()}
    ground = (
        max(
            points[f'{side}_{end}'][1]
            for side in ('left', 'right')
            for end in ('toe', 'heel')
        )
        + 0.02 * scale
    )
    centre = 0.5 * (points['left_ankle'][0] + points['right_ankle'][0])
    if abs(centre) > 0.25 * scale:
        centre = 0.0
    # Canvas pixel X shows the image coordinate (X + 0.5) / 2 - 0.5.
    target = (np.asarray(foot) + 0.5) * SUPERSAMPLING - 0.5
    shift = np.array([target[0] - centre, target[1] - ground, 0.0])
    points = {name: p + shift for name, p in points.items()}
    canvas = _canvas_around(points, scale, light)
    body = anatomy.Body(points, FLIP @ joints.torso, FLIP @ joints.skull, build, scale)
    palette = anatomy.Palette()
    _draw(canvas, body, look, palette, pose, pitch, ground + shift[1])
    return _finish(canvas, body, palette, joints, scale)


def _canvas_around(points: dict, scale: float, light) -> Canvas:
    positions = np.array([p[:2] for p in points.values()])
    low = positions.min(0) - 0.13 * scale
    high = positions.max(0) + 0.13 * scale
    low = np.floor(low / SUPERSAMPLING).astype(int) * SUPERSAMPLING
    size = np.ceil((high - low) / SUPERSAMPLING).astype(int) * SUPERSAMPLING
    return Canvas(size[0], size[1], low, light)


def _draw(canvas, body, look, palette, pose, pitch, ground) -> None:
    anatomy.draw_legs(canvas, body, look, palette)
    anatomy.draw_trunk(canvas, body, look, palette)
    anatomy.draw_arms(canvas, body, look, palette)
    head.draw_head(canvas, body, look, palette)
    if pose.seated:
        anatomy.draw_seat(canvas, body, look, palette, pose.yaw, pitch, ground)


def _finish(canvas: Canvas, body, palette, joints: Joints, scale: float) -> Figure:
    canvas.crop(SUPERSAMPLING)
    outline = 3 if scale < 420 else 5
    colour = canvas.colours(palette.colours(), 0.03 * scale, outline)
    drawn = canvas.depth > FAR
    parts = palette.parts()[canvas.label]
    prop = parts == anatomy.PROP
    half = (
        canvas.depth.shape[1] // SUPERSAMPLING,
        canvas.depth.shape[0] // SUPERSAMPLING,
    )
    colour = cv2.resize(colour, half, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(drawn.astype(np.float32), half, interpolation=cv2.INTER_AREA)
    seat = cv2.resize(prop.astype(np.float32), half, interpolation=cv2.INTER_AREA)
    keypoints = np.zeros((len(KEYPOINTS), 3))
    for row, name in zip(keypoints, KEYPOINTS):
        row[:2] = (body.points[name][:2] + 0.5) / SUPERSAMPLING - 0.5
        row[2] = visibility(name, canvas, parts, body, joints)
    feet = [
        body.points[f'{side}_ankle'][:2] + np.array([0, 0.04 * scale])
        for side in ('left', 'right')
    ]
    x, y = (value // SUPERSAMPLING for value in canvas.origin)
    return Figure(
        x=x,
        y=y,
        colour=colour,
        alpha=alpha,
        body=(alpha - seat) >= 0.5,
        prop=seat >= 0.5,
        keypoints=keypoints,
        feet=(np.array(feet) + 0.5) / SUPERSAMPLING - 0.5,
    )


def visibility(name: str, canvas: Canvas, parts, body, joints: Joints) -> int:
    """COCO's visibility flag of one keypoint as far as its own person decides it.

    Facial points count as seen when the face (for an ear, that ear) is what the
    canvas shows there. Any other joint is seen when no surface lies further in front
    of it than its own limb is thick.
    """
    point = body.points[name]
    height, width = parts.shape
    x = min(max(round(point[0] - canvas.origin[0]), 1), width - 2)
    y = min(max(round(point[1] - canvas.origin[1]), 1), height - 2)
    around = parts[y - 1 : y + 2, x - 1 : x + 2]
    facing = joints.skull[2, 2]
    if name.endswith('_ear'):
        own = anatomy.LEFT_EAR if name == 'left_ear' else anatomy.RIGHT_EAR
        return 2 if (around == own).any() else 1
    if name == 'nose' or name.endswith('_eye'):
        if facing < -0.2:
            return 0
        normal = joints.skull @ head.NORMALS[name]
        near = canvas.depth[y, x] - point[2] < 0.035 * body.scale
        return 2 if normal[2] > 0.08 and near and (around == anatomy.FACE).any() else 1
    covered = canvas.depth[y, x] - point[2]
    return 2 if covered <= anatomy.THICKNESS[name.split('_')[1]] * body.scale else 1
