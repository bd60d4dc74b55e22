"""Which prediction belongs to which person.

That is COCOeval's decision at OKS 0.5: predictions, best score first, each take the
most similar person that is still free. The persons it leaves and the predictions it
leaves are then paired, most similar first, down to ``MIN_OKS``; so a bad prediction can
be told from none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xtcocotools.cocoeval import COCOeval

MATCH_OKS, MIN_OKS = 0.5, 0.01
"""OKS from which a person counts as matched, and from which as inaccurately found."""


@dataclass(frozen=True)
class Person:
    """A person of the ground truth and the prediction that belongs to it, if any.

    Attributes:
        annotation: In COCO's format.
        file_name: Of the image, as the annotations have it.
        area: That OKS is relative to, in square pixels.
        oks: 0 without a prediction.
        predicted: x, y and score of each keypoint, shape (K, 3), or ``None``.
        distances: Of prediction and annotation in pixels, shape (K,); NaN where one is
            missing.
        similarities: What each keypoint adds to OKS, likewise.
    """

    annotation: dict[str, Any]
    file_name: str
    area: float
    oks: float
    predicted: np.ndarray | None
    distances: np.ndarray
    similarities: np.ndarray

    @property
    def state(self) -> str:
        """Whether the person was ``matched``, found ``inaccurate``, or ``missed``."""
        if self.predicted is None:
            return 'missed'
        return 'matched' if self.oks >= MATCH_OKS else 'inaccurate'


def match_persons(evaluator: COCOeval) -> tuple[list[Person], list[dict]]:
    """Find the prediction that belongs to each person.

    Args:
        evaluator: After ``evaluate()``, the first range of areas being that of all.

    Returns:
        The persons that count, and the predictions that belong to none.
    """
    images = len(evaluator.params.imgIds)
    ranges = len(evaluator.params.areaRng)
    threshold = list(evaluator.params.iouThrs).index(MATCH_OKS)
    persons: list[Person] = []
    false: list[dict] = []
    for number, found in enumerate(evaluator.evalImgs):
        if found is None or number // images % ranges:
            continue
        truths = {
            annotation['id']: annotation
            for annotation in evaluator.cocoGt.loadAnns(found['gtIds'])
            if not annotation['ignore']
        }
        predictions = evaluator.cocoDt.loadAnns(found['dtIds'])
        matches = dict(zip(found['dtMatches'][threshold].tolist(), predictions))
        pairs = {key: one for key, one in matches.items() if key in truths}
        ignored = found['dtIgnore'][threshold]
        taken = found['dtMatches'][threshold] >= 0
        left = [p for p, a, b in zip(predictions, taken, ignored) if not (a or b)]
        free = [one for key, one in truths.items() if key not in pairs]
        close = _pair_left_overs(free, left, evaluator)
        for annotation in truths.values():
            one = pairs.get(annotation['id']) or close.get(annotation['id'])
            persons.append(_compare(annotation, one, evaluator))
        used = {one['id'] for one in close.values()}
        false += [one for one in left if one['id'] not in used]
    return persons, false


def _pair_left_overs(
    truths: Sequence[dict], predictions: Sequence[dict], evaluator: COCOeval
) -> dict[int, dict]:
    """Pair persons with predictions, the most similar first, by annotation id."""
    scored = [
        (_compare(truth, prediction, evaluator).oks, truth['id'], index)
        for truth in truths
        for index, prediction in enumerate(predictions)
    ]
    pairs: dict[int, dict] = {}
    used: set[int] = set()
    for oks, key, index in sorted(scored, reverse=True):
        if oks >= MIN_OKS and key not in pairs and index not in used:
            pairs[key] = predictions[index]
            used.add(index)
    return pairs


def _compare(truth: dict, prediction: dict | None, evaluator: COCOeval) -> Person:
    width, height = truth['bbox'][2:4]
    # 0.53: what COCOeval takes as the part of its box that a person fills.
    area = truth['area'] if evaluator.use_area else 0.53 * width * height
    points = np.array(truth['keypoints'], dtype=float).reshape(-1, 3)
    distances = np.full(len(points), np.nan)
    predicted = None
    if prediction is not None:
        predicted = np.array(prediction['keypoints'], dtype=float).reshape(-1, 3)
        labelled = points[:, 2] > 0
        offsets = predicted[labelled, :2] - points[labelled, :2]
        distances[labelled] = np.hypot(*offsets.T)
    similarities = keypoint_similarities(distances, area, evaluator.sigmas)
    return Person(
        annotation=truth,
        file_name=evaluator.cocoGt.imgs[truth['image_id']].get('file_name', ''),
        area=float(area),
        oks=0.0 if predicted is None else float(np.nanmean(similarities)),
        predicted=predicted,
        distances=distances,
        similarities=similarities,
    )


def keypoint_similarities(
    distances: np.ndarray, area: float, sigmas: np.ndarray
) -> np.ndarray:
    """What each keypoint adds to OKS: ``exp(-d² / (2 s² k²))``, ``k`` twice its sigma.

    Args:
        distances: In pixels, shape (K,); NaN stays NaN.
        area: The person's, ``s²``, in square pixels.
        sigmas: Of the keypoints, shape (K,).
    """
    return np.exp(-(distances**2) / (2 * (area + np.spacing(1)) * (2 * sigmas) ** 2))
