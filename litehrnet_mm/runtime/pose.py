"""Poses of persons in an image."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from litehrnet_mm.runtime.crops import Crop
from litehrnet_mm.runtime.model import RuntimeModel, check_image
from litehrnet_mm.runtime.outputs import KINDS


class PoseRuntime:
    """A pose network, with the results of MMPose's test pipeline.

    Args:
        path: A file that ``tools/export_onnx.py`` wrote: of heatmaps, SimCC or
            regression, or (by ``--decode``) of keypoints.
        flip_test: Average with the mirrored image. ``None`` is what the config says,
            and no where the file gives keypoints.
        **settings: ``backend``, ``threads`` and ``providers`` of
            :class:`~litehrnet_mm.runtime.model.RuntimeModel`.

    Attributes:
        keypoints (list[str]): Names of the keypoints.
        skeleton (list[list[int]]): Pairs of keypoints to be joined by lines.

    Raises:
        ValueError: If the file cannot be used.
    """

    def __init__(
        self, path: str | os.PathLike, flip_test: bool | None = None, **settings: Any
    ) -> None:
        self.model = RuntimeModel(path, 'pose', **settings)
        facts = self.model.facts
        self.keypoints, self.skeleton = facts['keypoints'], facts['skeleton']
        self.decoded = self.model.outputs == ['keypoints', 'scores']
        self.kind = KINDS.get(tuple(self.model.outputs))
        if not self.decoded and self.kind is None:
            found = ', '.join(self.model.outputs)
            raise ValueError(f'{path} gives {found}, from which no poses are read')
        if self.decoded and flip_test:
            raise ValueError('flip_test needs heatmaps: export without --decode')
        says = bool(facts['test_cfg'].get('flip_test')) and not self.decoded
        self.flip_test = says if flip_test is None else flip_test
        height, width = facts['input_size']
        self.size = (width, height)

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the poses of all persons, in one batch.

        Args:
            image: ``(H, W, 3)``, BGR, uint8.
            boxes: ``(N, 4)``: left, top, right and bottom of each person, in pixels.
                ``None`` is one person as large as the image.

        Returns:
            Keypoints ``(N, K, 2)`` in pixels of the image, scores ``(N, K)``.

        Raises:
            ImageError: If the image has another shape, or is too large.
            ValueError: If the boxes have another shape.
        """
        crops = self.crops(image, boxes)
        if not crops:
            count = len(self.keypoints)
            return np.zeros((0, count, 2)), np.zeros((0, count))
        points, scores = self.find(self.cut(image, crops))
        placed = [crop.to_image(p, self.size) for crop, p in zip(crops, points)]
        return np.stack(placed), scores

    def crops(self, image: np.ndarray, boxes: np.ndarray | None = None) -> list[Crop]:
        """Where the network looks for each person; arguments as for a call."""
        check_image(image)
        if boxes is None:
            boxes = [[0, 0, image.shape[1], image.shape[0]]]
        boxes = np.asarray(boxes, np.float32)
        if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
            raise ValueError(f'boxes must have the shape (N, 4), got {boxes.shape}')
        padding, aspect = self.model.facts['padding'], self.size[0] / self.size[1]
        return [Crop.around(box, padding, aspect) for box in boxes]

    def cut(self, image: np.ndarray, crops: list[Crop]) -> np.ndarray:
        """Parts of an image as the network's input, ``(N, H, W, 3)``, BGR, uint8."""
        udp = self.model.facts['udp']
        return np.stack([crop.cut(image, self.size, udp) for crop in crops])

    def find(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints in pixels of what ``cut`` returned, and scores."""
        if self.decoded:
            points, scores = self.model.run(images)
            return points, scores
        found = self.model.run(images)
        if self.flip_test:
            mirrored = self.model.run(np.ascontiguousarray(images[:, :, ::-1]))
            mirrored = self.kind.flip_back(mirrored, self.model.facts)
            found = [(a + b) * 0.5 for a, b in zip(found, mirrored)]
        return self.kind.decode(found, self.model.facts['codec'])
