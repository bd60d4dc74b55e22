"""What a pose network is to learn, drawn over the crop that it sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.structures import BaseDataElement

from litehrnet_mm.visualization.pictures import INK, PAPER
from litehrnet_mm.visualization.poses import Colour

STRIP = 64
"""Height of the strips with vectors of coordinates, in pixels."""

DIMMED = 0.4
"""How much of the crop's brightness is left below its targets."""

SMOOTH = (cv2.LINE_AA, 4)
"""OpenCV takes sixteenths of a pixel as whole numbers with a shift of 4."""


def draw_targets(
    crop: np.ndarray,
    scale: float,
    data: BaseDataElement,
    encoder: Any,
    colours: Sequence[Colour],
) -> np.ndarray | None:
    """Draw heatmaps, vectors of coordinates or coordinates over a crop.

    Args:
        crop: BGR uint8, shape (H, W, 3), enlarged by ``scale``.
        scale: Pixels of the picture for one of the network's input.
        data: What MMPose packed, with the targets.
        encoder: The codec that made them.
        colours: One for each keypoint.

    Returns:
        The crop, darker, with the targets; right of it and below vectors, if there are
        any. ``None`` if there are no targets of these kinds.
    """
    fields, labels = data.get('gt_fields'), data.get('gt_instance_labels')
    fields, labels = fields or {}, labels or {}
    canvas = cv2.convertScaleAbs(crop, alpha=DIMMED)
    known = False
    if 'heatmaps' in fields:
        heatmaps = fields.heatmaps
        if isinstance(heatmaps, list):  # of several stages, the last is the finest
            heatmaps = heatmaps[-1]
        size = np.array(data.metainfo['img_shape'][1::-1])
        _add_heatmaps(canvas, scale, heatmaps.numpy(), size, encoder, colours)
        known = True
    if 'keypoint_labels' in labels:
        points, _ = encoder.decode(labels.keypoint_labels.numpy())
        weights = labels.keypoint_weights.numpy()
        _add_crosses(canvas, scale, points, weights, colours)
        known = True
    if 'keypoint_x_labels' in labels:
        return _with_vectors(canvas, scale, labels, encoder, colours)
    return canvas if known else None


def _add_heatmaps(
    canvas: np.ndarray,
    scale: float,
    heatmaps: np.ndarray,
    size: np.ndarray,
    encoder: Any,
    colours: Sequence[Colour],
) -> None:
    """Lay the heatmaps in the keypoints' colours over a canvas, the strongest on top.

    Codecs differ in the pixel of the input that a cell is for, by ``scale_factor``.
    """
    if len(heatmaps) == 3 * len(colours):  # UDP's disks, each with two maps of offsets
        heatmaps = heatmaps[::3]
    cells = np.array(heatmaps.shape[:0:-1])
    steps = np.broadcast_to(getattr(encoder, 'scale_factor', size / cells), 2) * scale
    shift = 0.5 * scale - 0.5
    place = np.array([[steps[0], 0, shift], [0, steps[1], shift]])
    shape = canvas.shape[1::-1]
    strongest = np.zeros(canvas.shape[:2], np.float32)
    paint = np.zeros(canvas.shape, np.float32)
    highest = max(float(heatmaps.max()), 1e-9)  # some codecs' sum is 1, or peak 255
    for heatmap, colour in zip(heatmaps.astype(np.float32), colours):
        enlarged = cv2.warpAffine(heatmap / highest, place, shape)
        above = enlarged > strongest
        strongest[above] = enlarged[above]
        paint[above] = colour
    strongest = strongest[..., None].clip(0, 1)
    canvas[:] = np.round(canvas * (1 - strongest) + paint * strongest)


def _add_crosses(
    canvas: np.ndarray,
    scale: float,
    points: np.ndarray,
    weights: np.ndarray,
    colours: Sequence[Colour],
) -> None:
    """Mark coordinates that have a weight; shapes (N, K, 2) and (N, K)."""
    for places, counts in zip(points, weights):
        for (x, y), weight, colour in zip(places, counts, colours):
            if weight > 0:
                place = (round((x + 0.5) * scale - 0.5), round((y + 0.5) * scale - 0.5))
                cv2.drawMarker(canvas, place, colour, cv2.MARKER_TILTED_CROSS, 14, 2)


def _with_vectors(
    canvas: np.ndarray,
    scale: float,
    labels: BaseDataElement,
    encoder: Any,
    colours: Sequence[Colour],
) -> np.ndarray:
    """A canvas with SimCC's vectors: those of x below, those of y on the right."""
    strips = []
    weights = labels.keypoint_weights.numpy()[0]
    ratio = encoder.simcc_split_ratio
    for key, length in zip(('x', 'y'), canvas.shape[1::-1]):
        vectors = labels.get(f'keypoint_{key}_labels').numpy()[0]
        if vectors.ndim == 1:  # the number of the bin, without smoothing
            bins = round(length / scale * ratio)
            vectors = np.eye(bins, dtype=np.float32)[vectors.clip(0, bins - 1)]
        places = (np.arange(vectors.shape[1]) / ratio + 0.5) * scale - 0.5
        strip = np.full((STRIP, length, 3), INK, np.uint8)
        _add_curves(strip, places, vectors * (weights > 0)[:, None], colours)
        strips.append(strip)
    below = cv2.copyMakeBorder(strips[0], 0, 0, 0, STRIP, 0, value=PAPER)
    # In both, high values are on the crop's side.
    return np.vstack([np.hstack([canvas, cv2.transpose(strips[1])]), below])


def _add_curves(
    strip: np.ndarray,
    places: np.ndarray,
    vectors: np.ndarray,
    colours: Sequence[Colour],
) -> None:
    """Draw a vector for each keypoint as a curve, where it is not next to nothing.

    Args:
        strip: To draw on.
        places: Columns that the elements of a vector belong to, shape (L,).
        vectors: Shape (K, L).
        colours: One for each keypoint.
    """
    highest = max(float(vectors.max()), 1e-9)
    for vector, colour in zip(vectors / highest, colours):
        (high,) = np.nonzero(vector > 0.01)
        if len(high):
            part = slice(max(0, high[0] - 1), high[-1] + 2)
            heights = STRIP - 6 - vector[part] * (STRIP - 12)
            line = np.round(np.column_stack([places[part], heights]) * 16)
            cv2.polylines(strip, [line.astype(np.int32)], False, colour, 1, *SMOOTH)
