"""Pictures of a pose sample: the image, what the network sees, and what it learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from litehrnet_mm.browsing.samples import Sample
from litehrnet_mm.browsing.targets import draw_targets
from litehrnet_mm.browsing.views import SWATCH, View, describe
from litehrnet_mm.visualization import PoseStyle, draw_people, read_image
from litehrnet_mm.visualization.annotations import to_annotations
from litehrnet_mm.visualization.pictures import INK, PAPER, add_caption, fit_into
from litehrnet_mm.visualization.poses import scale_people

PLACE = 2
"""Number of a keypoint's place in the key; before it are hidden and visible ones."""


class PoseViews:
    """Pictures of samples of a pose data set.

    Args:
        meta: The data set's ``metainfo``.

    Attributes:
        key: What marks mean, and a picture of each.
    """

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self.style = PoseStyle.from_meta(meta)
        self.key = _make_key()

    def original(self, sample: Sample, size: tuple[int, int]) -> list[View]:
        """The image with the person's box and keypoints.

        Args:
            sample: Of the data set.
            size: Width and height that the picture is to fit into, in pixels.
        """
        path = sample.info['img_path']
        image, scale = fit_into(read_image(path), size)
        people = scale_people(_annotations(sample.info), scale)
        drawn = draw_people(image, people, self.style)
        caption = f'{Path(path).name}, {_whose(sample.info)}'
        return [View(add_caption(drawn, caption), _levels(people))]

    def transformed(self, sample: Sample, size: tuple[int, int]) -> list[View]:
        """The crop with its keypoints, and with the targets if there are any.

        Args:
            sample: Of the data set.
            size: Width and height that each picture is to fit into, in pixels.
        """
        crop, scale = fit_into(sample.image, size)
        people = scale_people(transformed_people(sample), scale)
        drawn = draw_people(crop, people, self.style)
        views = [View(add_caption(drawn, describe(sample)), _levels(people))]
        colours = self.style.keypoint_colours
        encoder = _encoder(sample.transforms)
        targets = draw_targets(crop, scale, sample.data, encoder, colours)
        if targets is not None:
            _add_dots(targets[: crop.shape[0], : crop.shape[1]], people)
            weights = sample.data.gt_instance_labels.keypoint_weights
            if weights.ndim == 3:  # a set for each of several encoders
                weights = weights[-1]
            count = f'{int((weights > 0).sum())} of {weights.numel()}'
            views.append(View(add_caption(targets, f'targets: {count}'), {PLACE}))
        return views


def _make_key() -> list[tuple[str, np.ndarray]]:
    """What the marks mean that are not the same in each picture."""
    blank = np.full((SWATCH, SWATCH, 3), PAPER, np.uint8)
    hidden, visible, place = blank, blank.copy(), blank.copy()
    middle = SWATCH / 2 - 0.5
    centre, smooth = (round(16 * middle),) * 2, (cv2.LINE_AA, 4)
    cv2.circle(hidden, centre, 80, INK, 1, *smooth)
    cv2.circle(visible, centre, 80, INK, -1, *smooth)
    place[4:-4, 4:-4] = INK
    _add_dots(place, [dict(keypoints=[(middle, middle, 2)])])
    names = ('hidden keypoint', 'visible keypoint', 'where a target belongs')
    return list(zip(names, (hidden, visible, place)))


def _levels(people: Sequence[dict]) -> set[int]:
    """Which of hidden (0) and visible (1) keypoints there are."""
    values = [np.reshape(one['keypoints'], (-1, 3))[:, 2] for one in people]
    return {int(v) - 1 for v in np.unique(values).clip(0, 2) if v}


def _whose(info: Mapping[str, Any]) -> str:
    """What a caption says of a sample beside its image."""
    if _is_detected(info['keypoints']).all() and 'bbox_score' in info:
        return f'detected at {float(np.ravel(info["bbox_score"])[0]):.2f}'
    return f'id {info.get("id")}'


def _is_detected(points: np.ndarray) -> np.ndarray:
    """Which persons (N,) are a detector's: MMPose puts all keypoints to the corner."""
    return ~points.any(axis=(1, 2))


def _annotations(info: Mapping[str, Any]) -> list[dict]:
    """The persons of a sample, in the pixels of its image."""
    points, visible = info['keypoints'], _labelled(info)
    raw = info.get('raw_ann_info')
    people = to_annotations(points, visible, info['bbox'], raw)
    # An annotation is of other keypoints where they were converted.
    places = [np.reshape(one['keypoints'], (-1, 3))[:, :2] for one in people]
    if np.allclose(np.array(places)[visible > 0], points[visible > 0], atol=0.01):
        return people
    return to_annotations(points, visible, info['bbox'], None)


def _labelled(person: Any) -> np.ndarray:
    """Which keypoints (N, K) of persons, of a data set or packed, are labelled."""
    values, points = person['keypoints_visible'], person['keypoints']
    if values.ndim == 3:  # some transforms keep weights beside it
        values = values[..., 0]
    return (values > 0) & ~_is_detected(points)[:, None]


def transformed_people(sample: Sample) -> list[dict]:
    """The persons of a sample with keypoints in the pixels of the network's input.

    Which keypoints are hidden is known of the original: MMPose's pipelines keep whether
    they are labelled.
    """
    found = sample.data.gt_instances
    if 'keypoints' not in found:
        return []
    points = found.get('transformed_keypoints', found.keypoints)
    levels = 2 * _labelled(found)
    before = np.array(
        [
            np.reshape(person['keypoints'], (-1, 3))[:, 2]
            for person in _annotations(sample.info)
        ]
    )
    if sample.data.metainfo.get('flip'):
        before = before[:, sample.data.metainfo['flip_indices']]
    if before.shape == levels.shape:
        levels = np.where(before == 1, np.minimum(levels, 1), levels)
    return [
        dict(keypoints=np.column_stack([places, v]))
        for places, v in zip(points, levels)
    ]


def _encoder(transforms: Sequence[Any]) -> Any:
    """The codec of a pipeline, of several the last."""
    found = [x.encoder for x in transforms if hasattr(x, 'encoder')]
    encoder = found[-1] if found else None
    return encoder[-1] if isinstance(encoder, list) else encoder


def _add_dots(canvas: np.ndarray, people: Sequence[dict]) -> None:
    """Mark where labelled keypoints are, to compare targets with."""
    for person in people:
        for x, y, v in person['keypoints']:
            if v > 0:
                centre = (round(x * 16), round(y * 16))
                cv2.circle(canvas, centre, 30, (255, 255, 255), -1, cv2.LINE_AA, 4)
