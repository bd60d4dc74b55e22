"""Keypoints from what the heads of MMPose put out, with the results of its codecs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from litehrnet_mm.runtime import heatmaps

Arrays = list[np.ndarray]
Facts = Mapping[str, Any]
Poses = tuple[np.ndarray, np.ndarray]
"""Keypoints ``(N, K, 2)`` in pixels of the network's input, scores ``(N, K)``."""


class Heatmaps:
    """``(N, K, H, W)`` of the codecs ``MSRAHeatmap`` and ``UDPHeatmap``."""

    @staticmethod
    def flip_back(found: Arrays, facts: Facts) -> Arrays:
        """Bring outputs for mirrored images back; a head's outputs, a file's facts."""
        shift = bool(facts['test_cfg'].get('shift_heatmap'))
        return [heatmaps.flip_back(found[0], facts['flip_pairs'], shift)]

    @staticmethod
    def decode(found: Arrays, codec: Facts) -> Poses:
        """Find keypoints."""
        return heatmaps.decode(found[0], codec)


class SimCC:
    """``(N, K, W)`` and ``(N, K, H)`` of ``SimCCLabel`` (Li et al., ECCV 2022)."""

    @staticmethod
    def flip_back(found: Arrays, facts: Facts) -> Arrays:
        """Bring outputs for mirrored images back."""
        x, y = (scores[:, facts['flip_pairs']] for scores in found)
        return [x[..., ::-1], y]

    @staticmethod
    def decode(found: Arrays, codec: Facts) -> Poses:
        """Find keypoints.

        Raises:
            ValueError: If the codec refines them or tells visibility.
        """
        for option in ('use_dark', 'decode_visibility'):
            if codec.get(option):
                raise ValueError(f'SimCCLabel with {option} cannot be decoded here')
        points = np.stack([scores.argmax(axis=2) for scores in found], axis=-1)
        scores = np.minimum(*(scores.max(axis=2) for scores in found))
        points = points.astype(np.float64)
        points[scores <= 0] = -1
        return points / codec.get('simcc_split_ratio', 2.0), scores


class Coordinates:
    """``(N, K, 2)``, or ``(N, K, 4)`` with deviations, of ``RegressionLabel``."""

    @staticmethod
    def flip_back(found: Arrays, facts: Facts) -> Arrays:
        """Bring outputs for mirrored images back."""
        (coords,) = found
        coords = coords[:, facts['flip_pairs']]
        coords[..., 0] = 1 - coords[..., 0]
        if facts['test_cfg'].get('shift_coords', True):
            coords[..., 0] -= 1 / facts['input_size'][1]
        return [coords]

    @staticmethod
    def decode(found: Arrays, codec: Facts) -> Poses:
        """Find keypoints; the deviations have been through the sigmoid."""
        (coords,) = found
        points = coords[..., :2] * np.array(codec['input_size'], np.float64)
        if coords.shape[-1] == 2:
            return points, np.ones(coords.shape[:2], np.float32)
        return points, (1 - coords[..., 2:]).mean(axis=-1)


KINDS = {
    ('heatmaps',): Heatmaps,
    ('simcc_x', 'simcc_y'): SimCC,
    ('coordinates',): Coordinates,
}
"""By the names of a file's outputs."""
