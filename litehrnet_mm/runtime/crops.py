"""Crops of persons for a top-down network, as MMPose cuts them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from litehrnet_mm.runtime.model import ImageError

CUT_FROM = 2**15 - 1
"""Pixels of a side from which OpenCV cannot cut."""


@dataclass(frozen=True)
class Crop:
    """A part of an image that becomes the network's input.

    Attributes:
        center: (x, y) in pixels of the image.
        scale: Width and height in pixels of the image.
    """

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def around(cls, box: np.ndarray, padding: float, aspect: float) -> Crop:
        """The crop around a box.

        Args:
            box: Left, top, right, bottom, in pixels.
            padding: What its sides are multiplied with.
            aspect: Width by height of the network's input, which the crop is
                widened to.
        """
        left, top, right, bottom = np.asarray(box, np.float32)
        center = np.array([left + right, top + bottom], np.float32) * 0.5
        width, height = (right - left) * padding, (bottom - top) * padding
        scale = np.array(
            [max(width, height * aspect), max(height, width / aspect)], np.float32
        )
        return cls(center, scale)

    def cut(self, image: np.ndarray, size: tuple[int, int], udp: bool) -> np.ndarray:
        """Cut it out.

        Args:
            image: ``(H, W, 3)``.
            size: Width and height of the result.
            udp: Whether the outer pixels' centres lie on the crop's border (Huang et
                al., 2020), not their edges.

        Raises:
            ImageError: If a side of the image has more pixels than OpenCV's 16 bits
                count.
        """
        matrix = self._udp_matrix(size) if udp else self._matrix(size)
        try:
            return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
        except cv2.error as error:
            width, height = image.shape[1::-1]
            raise ImageError(
                f'OpenCV cuts nothing out of {width}x{height} pixels (width x height): '
                f'no side may have {CUT_FROM} or more'
            ) from error

    def _matrix(self, size: tuple[int, int]) -> np.ndarray:
        # Of three points in single precision, as MMPose does it: rounded differently,
        # interpolation would give pixels one level apart. Both directions have the
        # factor of the width.
        target = np.array(size, np.float32)
        found = []
        for center, width in ((self.center, self.scale[0]), (target * 0.5, target[0])):
            step = width * np.float32(0.5)
            x, y = center
            points = [(x, y), (x - step, y), (x - step, y + step)]
            found.append(np.array(points, np.float32))
        return cv2.getAffineTransform(*found)

    def _udp_matrix(self, size: tuple[int, int]) -> np.ndarray:
        # In double precision until the end, as MMPose does it: see above.
        center, scale = self.center.astype(np.float64), self.scale.astype(np.float64)
        factor = (np.array(size) - 1) / scale
        shift = factor * (0.5 * scale - center)
        matrix = [[factor[0], 0, shift[0]], [0, factor[1], shift[1]]]
        return np.array(matrix, np.float32)

    def to_image(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bring points ``(..., 2)`` from the network's input to the image."""
        return points / np.array(size) * self.scale + self.center - 0.5 * self.scale
