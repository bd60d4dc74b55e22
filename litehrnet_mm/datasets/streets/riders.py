"""Persons, bicycles and motorcycles, and riders on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from litehrnet_mm.datasets.clothes import Look, sample_look
from litehrnet_mm.datasets.figure import render_figure
from litehrnet_mm.datasets.poses import sample_build, sample_pose
from litehrnet_mm.datasets.skeleton import KEYPOINTS, Arm, Leg, Pose
from litehrnet_mm.datasets.streets.classes import IDS
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import (
    UP,
    Frame,
    ball,
    disc,
    hoop,
    prism,
    rod,
)
from litehrnet_mm.datasets.streets.view import NEAR

HIPS = [KEYPOINTS.index('left_hip'), KEYPOINTS.index('right_hip')]
DARK = np.array([35, 34, 34.0])


def _figure_light(site: Site) -> tuple[float, float, float]:
    right, down, forward = (site.view.axes @ site.view.light.sun).tolist()
    return right, min(down, -0.3), max(-forward, 0.3)


def draw_person(site: Site, foot: np.ndarray) -> None:
    """Draw somebody who stands or walks at a point of the ground."""
    pose = sample_pose(site.rng)
    while pose.seated:
        pose = sample_pose(site.rng)
    pose = replace(pose, yaw=site.between(0, 360))
    stature = site.between(1.55, 1.92)
    _draw_figure(site, pose, stature, foot, IDS['person'], at_hips=False)
    site.shade(Frame(foot * [1, 0, 1]).footprint(0.45, 0.35), stature)


def _draw_figure(
    site: Site, pose: Pose, stature: float, point, label: int, at_hips: bool
) -> None:
    """Draw a figure that stands on a point, or has its hips there."""
    view = site.view
    column, row, depth = view.project(point)
    build, look = sample_build(site.rng), sample_look(site.rng, seated=at_hips)
    if at_hips:
        look = _dressed_to_ride(site, look)
    if depth < 2 * NEAR:
        return
    height = stature * view.focal / depth
    # Fewer samples could not be told from each other, and more are never needed.
    if not 6 <= height <= 2.5 * max(view.depth.shape):
        return
    figure = render_figure(
        *(pose, build, look, height, (column - 0.5, row - 0.5)),
        *(view.camera.pitch, _figure_light(site)),
    )
    left, top = figure.x, figure.y
    if at_hips:
        hips = figure.keypoints[HIPS, :2].mean(0)
        left += round(column - 0.5 - hips[0])
        top += round(row - 0.5 - hips[1])
    colour = figure.colour / np.maximum(figure.alpha, 0.25)[..., None]
    tone = view.light.ambient + 0.6 * view.light.strength
    view.picture(left, top, depth, colour * tone, figure.body, label)


def _dressed_to_ride(site: Site, look: Look) -> Look:
    """Mostly a helmet and a jacket that drivers see from afar."""
    if site.chance(0.15):
        return look
    top = site.typical((245, 225, 40), (255, 150, 30), (190, 235, 50))
    return replace(
        look, hair_style='cap', hat=top, top=top, pattern='plain', sleeve=1.9
    )


def _riding(site: Site, heading: float, sporty: bool) -> Pose:
    """The pose of a rider; ``heading`` as that of a frame."""
    lean = site.between(12, 34)
    reach = lean + site.between(38, 52)
    arm = Arm(reach, site.between(10, 20), -10, site.between(10, 35))
    low, high = (50, 72) if sporty else (25, 80)
    thighs = (site.between(low, high), site.between(low, high))
    bends = tuple(site.between(0.9, 1.15) * thigh + 12 for thigh in thighs)
    legs = tuple(Leg(f, 8, 0, b) for f, b in zip(thighs, bends))
    yaw = 180 - heading  # a figure at 0 faces the camera, a frame at 0 turns its back
    return Pose(yaw=yaw, lean=lean, head=(-lean / 2, 0, 0), arms=(arm, arm), legs=legs)


def draw_bicycle(site: Site, frame: Frame, ridden: bool) -> None:
    """Draw a bicycle, with or without its rider."""
    view, label = site.view, IDS['bicycle']
    tint = site.typical((250, 130, 20), (60, 190, 70), (240, 240, 235))
    paint, tyre = site.plain(tint, 0.05), site.plain(DARK, 0.1)
    radius, base = 0.35, 0.54
    rear, front = frame.at(0, radius, -base), frame.at(0, radius, base)
    crank, head = frame.at(0, 0.3, -0.08), frame.at(0, 0.85, 0.36)
    saddle, bar = frame.at(0, 0.92, -0.24), frame.at(0, 1.08, 0.32)
    site.shade(frame.footprint(0.3, 1.7), 0.9)
    if ridden:
        pose = _riding(site, frame.heading, sporty=False)
        stature, hips = site.between(1.6, 1.9), frame.at(0, 1.0, -0.2)
        _draw_figure(site, pose, stature, hips, IDS['rider'], at_hips=True)
    plane = frame.forward, UP
    for hub in (rear, front):
        disc(view, hub, plane, radius, label, tyre, alpha=0.85)
        hoop(view, hub, plane, radius, 0.06, label, tyre)
    tubes = ((rear, crank), (crank, head), (crank, saddle), (rear, saddle))
    for start, end in (*tubes, (saddle, head), (head, front), (head, bar)):
        rod(view, start, end, 0.06, label, paint)
    seat = frame.at(0, 0.96, -0.38), frame.at(0, 0.96, -0.1)
    rod(view, *seat, 0.07, label, tyre)
    rod(view, frame.at(-0.3, 1.1, 0.28), frame.at(0.3, 1.1, 0.28), 0.03, label, tyre)
    if site.chance(0.4):  # a basket
        ball(view, frame.at(0, 0.98, 0.55), (0.2, 0.16), label, site.plain(DARK * 2.5))


def draw_motorcycle(site: Site, frame: Frame, ridden: bool) -> None:
    """Draw a motorcycle or a scooter, with or without its rider."""
    view, label = site.view, IDS['motorcycle']
    tint = site.typical((60, 60, 66), (160, 30, 30))
    paint, dark = site.plain(tint, 0.05, 0.6), site.plain(DARK, 0.15, 0.3)
    metal = site.plain(np.full(3, site.between(90, 170)), 0.3, 0.15)
    radius, base = 0.33, 0.72
    site.shade(frame.footprint(0.7, 2.1), 1.0)
    if ridden:
        pose = _riding(site, frame.heading, sporty=True)
        stature, hips = site.between(1.65, 1.9), frame.at(0, 0.93, -0.25)
        _draw_figure(site, pose, stature, hips, IDS['rider'], at_hips=True)
    plane = frame.forward, UP
    for z in (-base, base):
        hub = frame.at(0, radius, z)
        disc(view, hub, plane, radius, label, dark)
        disc(view, frame.at(0, radius, z), plane, radius * 0.5, label, metal)
        hoop(view, hub, plane, radius - 0.06, 0.09, label, dark)
    engine = np.array([(-0.45, 0.25), (0.4, 0.25), (0.45, 0.6), (-0.5, 0.6)])
    prism(view, frame, engine, 0.17, label, metal)
    tank = np.array(
        [(-0.15, 0.58), (0.5, 0.62), (0.45, 0.95), (0.1, 1.0), (-0.2, 0.78)]
    )
    prism(view, frame, tank, 0.19, label, paint)
    seat = np.array([(-0.95, 0.7), (-0.1, 0.6), (-0.15, 0.82), (-0.95, 0.92)])
    prism(view, frame, seat, 0.16, label, dark)
    tail = np.array([(-0.98, 0.5), (-0.5, 0.45), (-0.5, 0.72), (-0.98, 0.75)])
    prism(view, frame, tail, 0.14, label, paint)
    for x in (-0.12, 0.12):
        rod(view, frame.at(x, radius, base), frame.at(x, 1.0, 0.42), 0.05, label, metal)
    rod(
        view, frame.at(-0.38, 1.06, 0.35), frame.at(0.38, 1.06, 0.35), 0.04, label, dark
    )
    shell = np.array([(0.42, 0.7), (0.72, 0.75), (0.68, 1.0), (0.45, 1.25)])
    prism(view, frame, shell, 0.2, label, paint)
    lamp = frame.at(0, 0.88, 0.74)
    ball(view, lamp, (0.11, 0.11), label, site.plain(np.full(3, 230.0), 0))
    ball(view, frame.at(0, 0.82, -1.0), (0.1, 0.06), label, site.plain((40, 30, 190)))
