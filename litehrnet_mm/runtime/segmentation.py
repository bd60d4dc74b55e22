"""Classes of the pixels of an image."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from litehrnet_mm.runtime.model import RuntimeModel, check_image


class SegRuntime:
    """A segmentation network, with the results of MMSegmentation's whole inference.

    A file of any size takes an image at the size to which MMSegmentation's test
    pipeline brings it, and finds the same labels. For others the image is brought to
    the size that the file takes: the labels are the same if that is this size, too.

    Args:
        path: A file that ``tools/export_onnx.py`` wrote, with scores or (by
            ``--label-map``) with labels.
        **settings: ``backend``, ``threads`` and ``providers`` of
            :class:`~litehrnet_mm.runtime.model.RuntimeModel`.

    Attributes:
        classes (list[str]): Names of the classes.
        palette (list[list[int]]): A colour for each, RGB.

    Raises:
        ValueError: If the file cannot be used.
    """

    def __init__(self, path: str | os.PathLike, **settings: Any) -> None:
        self.model = RuntimeModel(path, 'segmentation', **settings)
        if self.model.outputs not in (['logits'], ['labels']):
            raise ValueError(f'{path} gives {self.model.outputs}, not logits or labels')
        self.classes, self.palette = (
            self.model.facts[key] for key in ('classes', 'palette')
        )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Label each pixel.

        Args:
            image: ``(H, W, 3)``, BGR, uint8.

        Returns:
            ``(H, W)``, uint8: the number of the class.

        Raises:
            ImageError: If the image has another shape.
        """
        (found,) = self.model.run(self.fit(image))
        height, width = image.shape[:2]
        if self.model.outputs == ['labels']:
            labels = found[0]
            if labels.shape != (height, width):
                labels = cv2.resize(
                    labels, (width, height), interpolation=cv2.INTER_NEAREST
                )
            return labels
        scores = found[0].transpose(1, 2, 0)
        if scores.shape[:2] != (height, width):
            scores = cv2.resize(scores, (width, height)).reshape(height, width, -1)
        threshold = self.model.facts['threshold']
        if threshold is None:
            return scores.argmax(axis=2).astype(np.uint8)
        return (scores[..., 0] > np.log(threshold / (1 - threshold))).astype(np.uint8)

    def fit(self, image: np.ndarray) -> np.ndarray:
        """An image at the size that the file takes, ``(1, H, W, 3)``."""
        check_image(image)
        height, width = image.shape[:2]
        rows, columns = self.model.facts['input_size']
        resize = self.model.facts['resize']
        if self.model.any_size:
            rows, columns = height, width
            if resize:
                columns, rows = _fitted(width, height, **resize)
        if (rows, columns) != (height, width):
            image = cv2.resize(image, (columns, rows))
        return image[None]


def _fitted(
    width: int, height: int, scale: list[int], keep_ratio: bool
) -> tuple[int, int]:
    """The size to which mmcv's ``imrescale`` or ``imresize`` brings an image.

    One pixel at least, where an image is so narrow that mmcv's would be none.
    """
    if not keep_ratio:
        return scale[0], scale[1]
    long, short = max(scale) / max(width, height), min(scale) / min(width, height)
    factor = min(long, short)  # the greatest with which it fits
    return max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
