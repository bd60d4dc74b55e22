"""Classes of the pixels of an image."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from litehrnet_mm.runtime.model import RuntimeModel, check_image


class SegRuntime:
    """A segmentation network, with the results of MMSegmentation's whole inference.

    The image is brought to the size that the file takes; a file of any size takes it
    as it is.

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
            ValueError: If the image has another shape.
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
            scores = cv2.resize(scores, (width, height))
        return scores.argmax(axis=2).astype(np.uint8)

    def fit(self, image: np.ndarray) -> np.ndarray:
        """An image at the size that the file takes, ``(1, H, W, 3)``."""
        check_image(image)
        if not self.model.any_size:
            rows, columns = self.model.facts['input_size']
            image = cv2.resize(image, (columns, rows))
        return image[None]
