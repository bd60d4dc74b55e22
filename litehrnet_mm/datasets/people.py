"""Pictures of synthetic people with COCO keypoint annotations, one at a time.

Every picture is a function of ``(seed, index)`` alone, whatever else is generated.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from litehrnet_mm.datasets.background import sample_background
from litehrnet_mm.datasets.clothes import sample_look
from litehrnet_mm.datasets.figure import Figure, render_figure
from litehrnet_mm.datasets.occluders import sample_occluder
from litehrnet_mm.datasets.photograph import photograph, three
from litehrnet_mm.datasets.poses import sample_build, sample_pose

Rng = np.random.Generator

NOBODY, OCCLUDER = 0, 255
"""Values of the owner map that are not a person, who are numbered from 1."""

MIN_VISIBLE = 0.6
"""Fraction of a person that must stay visible, or something in front is left out."""

MIN_INSIDE = 0.7
"""Fraction of a person that must lie inside the image, or it is left out."""


@dataclass(frozen=True)
class Layer:
    """One person cut to the image.

    Attributes:
        figure: The whole figure.
        rows: Rows of the image it covers.
        cols: Columns of the image it covers.
        body: Its pixels among these, bool.
        prop: Pixels of its seat among these, bool.
        colour: BGR times alpha of these, float32.
        alpha: Coverage of these, float32.
    """

    figure: Figure
    rows: slice
    cols: slice
    body: np.ndarray
    prop: np.ndarray
    colour: np.ndarray
    alpha: np.ndarray


def render_people(
    seed: int,
    index: int,
    size: tuple[int, int] = (320, 256),
    persons: tuple[int, int] = (1, 4),
) -> tuple[np.ndarray, list[dict]]:
    """Draw picture ``index`` of the set ``seed``.

    Args:
        seed: Non-negative number of the set.
        index: Non-negative number of the picture in its set.
        size: Width and height in pixels.
        persons: Least and greatest number of persons to place. Fewer are left when
            one would hide another or leave the image.

    Returns:
        The image, BGR uint8 of shape (height, width, 3), and one dict a person, from
        the farthest to the nearest, with COCO's ``bbox`` (x, y, width and height of
        the silhouette inside the image), ``area`` (visible pixels), ``segmentation``
        (polygons of the visible silhouette), ``keypoints`` (17 times x, y, v; a
        pixel's centre has whole coordinates), ``num_keypoints``, ``iscrowd`` and
        ``category_id``. ``v`` is 2 for a visible keypoint, 1 for one that its own
        body, another person or an object hides, and 0 (with x = y = 0) outside the
        image and for nose and eyes of a face that is turned away.
    """
    rng = np.random.default_rng([seed, index])
    width, height = size
    image = sample_background(rng, width, height)
    layers = _place_people(rng, width, height, persons)
    owner, kept = _compose_owner(layers, height, width)
    _cast_shadows(rng, image, kept)
    for layer in kept:
        _blend(image[layer.rows, layer.cols], layer.colour, layer.alpha)
    if rng.random() < 0.3:
        _occlude(rng, image, owner, kept)
    annotations = [
        annotate(layer, owner, number) for number, layer in enumerate(kept, 1)
    ]
    return photograph(rng, image), annotations


def _place_people(rng: Rng, width: int, height: int, persons) -> list[Layer]:
    """Figures from the farthest to the nearest, each mostly inside the image."""
    count = int(rng.integers(persons[0], persons[1] + 1))
    pitch = rng.uniform(2, 14)
    light = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-0.9, -0.4), 0.8])
    high = {1: 0.92, 2: 0.84}.get(count, 0.76)
    statures = np.sort(rng.uniform(0.45, high, count)) * height
    slots = (rng.permutation(count) + rng.uniform(0.25, 0.75, count)) / count
    layers = []
    for stature, slot in zip(statures, slots):
        pose, build = sample_pose(rng), sample_build(rng)
        look = sample_look(rng, pose.seated)
        slack = height * 0.97 - stature
        ground = height * 0.98 - slack * rng.uniform(0, 0.55)
        if rng.random() < 0.12:
            ground += 0.2 * stature  # cut off below
        foot = (width * (0.04 + 0.92 * slot), ground)
        figure = render_figure(pose, build, look, stature, foot, pitch, light)
        layer = _cut(figure, width, height)
        if layer.body.sum() >= MIN_INSIDE * figure.body.sum():
            layers.append(layer)
    return layers


def _cut(figure: Figure, width: int, height: int) -> Layer:
    rows, cols = figure.body.shape
    top, left = max(figure.y, 0), max(figure.x, 0)
    bottom, right = min(figure.y + rows, height), min(figure.x + cols, width)
    bottom, right = max(bottom, top), max(right, left)
    own = (
        slice(top - figure.y, bottom - figure.y),
        slice(left - figure.x, right - figure.x),
    )
    return Layer(
        figure=figure,
        rows=slice(top, bottom),
        cols=slice(left, right),
        body=figure.body[own],
        prop=figure.prop[own],
        colour=figure.colour[own],
        alpha=figure.alpha[own],
    )


def _compose_owner(layers: list[Layer], height: int, width: int):
    """Decide who stays, nearest first, and who owns which pixel.

    Returns:
        The owner map of shape (height, width), uint8, and the layers that stay.
    """
    covered = np.zeros((height, width), bool)
    kept = []
    for layer in reversed(layers):
        window = covered[layer.rows, layer.cols]
        if (layer.body & ~window).sum() >= MIN_VISIBLE * layer.body.sum():
            window |= layer.body | layer.prop
            kept.append(layer)
    kept.reverse()
    owner = np.zeros((height, width), np.uint8)
    for number, layer in enumerate(kept, 1):
        window = owner[layer.rows, layer.cols]
        window[layer.prop] = OCCLUDER
        window[layer.body] = number
    return owner, kept


def _cast_shadows(rng: Rng, image: np.ndarray, layers: list[Layer]) -> None:
    """Darken the ground below the feet, in place."""
    shadow = np.zeros(image.shape[:2], np.uint8)
    strength = rng.uniform(0.2, 0.5)
    for layer in layers:
        feet = layer.figure.feet
        span = np.abs(feet[0] - feet[1])
        stature = layer.figure.body.shape[0]
        axes = (int(span[0] / 2 + 0.09 * stature), int(span[1] / 2 + 0.025 * stature))
        centre = np.round([feet[:, 0].mean(), feet[:, 1].mean()]).astype(int).tolist()
        cv2.ellipse(shadow, centre, axes, 0, 0, 360, 255, -1)
    shadow = cv2.blur(cv2.blur(shadow, (9, 5)), (9, 5))
    _blend(image, np.float32(0), shadow * np.float32(strength / 255))


def _occlude(rng: Rng, image: np.ndarray, owner: np.ndarray, layers) -> None:
    """Put something in front, in place, unless it would hide a person."""
    height, width = owner.shape
    colour, mask = sample_occluder(rng, width, height)
    hidden = (owner == OCCLUDER) | (mask > 127)
    for number, layer in enumerate(layers, 1):
        seen = (owner == number) & ~hidden
        if seen.sum() < MIN_VISIBLE * layer.body.sum():
            return
    alpha = mask * np.float32(1 / 255)
    _blend(image, cv2.multiply(colour, three(alpha), dtype=cv2.CV_32F), alpha)
    owner[mask > 127] = OCCLUDER


def _blend(image: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Lay a colour that is already multiplied by alpha over an image, in place."""
    image *= three(1 - alpha)
    image += colour


def annotate(layer: Layer, owner: np.ndarray, number: int) -> dict:
    """COCO annotation of a person, without ids.

    Args:
        layer: The person.
        owner: Who owns which pixel, shape (H, W), uint8.
        number: The person's value in it.

    Returns:
        See :func:`render_people`.
    """
    visible = (owner[layer.rows, layer.cols] == number) & layer.body
    ys, xs = np.nonzero(layer.body)
    box = [xs.min() + layer.cols.start, ys.min() + layer.rows.start]
    box += [np.ptp(xs) + 1, np.ptp(ys) + 1]
    keypoints = _keypoints(layer.figure.keypoints, owner, number)
    return {
        'bbox': [int(value) for value in box],
        'area': int(visible.sum()),
        'segmentation': _polygons(visible, layer.cols.start, layer.rows.start),
        'keypoints': _short(keypoints),
        'num_keypoints': int((keypoints[:, 2] > 0).sum()),
        'iscrowd': 0,
        'category_id': 1,
    }


def _keypoints(own: np.ndarray, owner: np.ndarray, number: int) -> np.ndarray:
    """Take into account what others hide and where the image ends."""
    height, width = owner.shape
    keypoints = own.copy()
    columns, rows = np.round(keypoints[:, :2]).astype(int).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    holders = owner[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    hidden = (holders != number) & (holders != NOBODY)
    keypoints[hidden & (keypoints[:, 2] == 2), 2] = 1
    keypoints[~inside | (keypoints[:, 2] == 0)] = 0
    return keypoints


def _polygons(mask: np.ndarray, left: int, top: int) -> list[list[float]]:
    """Outlines of a mask in COCO's coordinates, where pixel 0 covers 0..1."""
    doubled = cv2.resize(
        mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST
    )
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for contour in contours:
        if cv2.contourArea(contour) < 40:
            continue
        outline = cv2.approxPolyDP(contour, 1.6, True)[:, 0]
        if len(outline) < 3:
            continue
        outline = (outline + 0.5) / 2 + [left, top]
        polygons.append(_short(outline))
    return polygons


def _short(values: np.ndarray) -> list[float]:
    return np.round(values, 2).ravel().tolist()
