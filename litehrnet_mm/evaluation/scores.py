"""How sure a network is of a pose."""

from __future__ import annotations

import numpy as np

MIN_KEYPOINT_SCORE = 0.2
"""Keypoints below have no say in a person's score: the default of ``CocoMetric``."""


def pose_score(box_score: float, keypoint_scores: np.ndarray) -> float:
    """The score of a person, as MMPose's ``CocoMetric`` has it.

    Args:
        box_score: Of the box.
        keypoint_scores: ``(K,)``.
    """
    certain = keypoint_scores[keypoint_scores > MIN_KEYPOINT_SCORE]
    return float(box_score * certain.mean()) if len(certain) else 0.0
