"""What lies behind a COCO AP: keypoints, sizes of persons, who was found and who not.

Everything rests on the object keypoint similarity (OKS, https://cocodataset.org,
"Keypoint Evaluation"): the mean over a person's labelled keypoints of
``exp(-d² / (2 s² k²))``, with ``d`` the distance in pixels between prediction and
annotation, ``s²`` the person's annotated area and ``k`` twice the keypoint's sigma.

Who belongs to whom: see :mod:`litehrnet_mm.analysis.matching`.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, METRICS
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from litehrnet_mm.analysis.matching import Person, match_persons
from litehrnet_mm.cli import UserError, one_line

ENDLESS = 1e5
"""What COCO takes as the size that no person reaches, in pixels."""

SIZES = (
    ('all', 0, ENDLESS),
    ('medium', 32, 96),
    ('large', 96, ENDLESS),
    ('0 to 32 px', 0, 32),
    ('32 to 64 px', 32, 64),
    ('64 to 96 px', 64, 96),
    ('96 to 160 px', 96, 160),
    ('160 to 256 px', 160, 256),
    ('from 256 px', 256, ENDLESS),
)
"""Ranges of persons' sizes: the root of the annotated area, in pixels. The first three
are COCO's."""


@dataclass(frozen=True)
class KeypointStats:
    """One keypoint over all persons who have it labelled and a prediction.

    Attributes:
        name: Of the keypoint.
        labelled: Number of persons who have it labelled.
        predicted: Number of those with a prediction; the rest is over these.
        mean_similarity: Mean of what it adds to OKS, from 0 to 1.
        below_half: Fraction of persons where that is under 0.5.
        median_error: Median distance in pixels.
        median_relative_error: Median distance over the root of the person's area.
    """

    name: str
    labelled: int
    predicted: int
    mean_similarity: float | None
    below_half: float | None
    median_error: float | None
    median_relative_error: float | None


@dataclass(frozen=True)
class SizeStats:
    """COCO's AP and AR for persons of some sizes.

    Attributes:
        name: Of the range.
        least: Root of the smallest area, in pixels.
        most: Root of the largest, ``None`` if there is no bound.
        persons: Number of persons.
        ap: ``None`` where there are no persons.
        ar: Likewise.
    """

    name: str
    least: float
    most: float | None
    persons: int
    ap: float | None
    ar: float | None


@dataclass(frozen=True)
class Analysis:
    """All that is to be said about the predictions for a data set.

    Attributes:
        metrics: What MMPose's ``CocoMetric`` says.
        persons: Those with labelled keypoints, crowds left out.
        keypoints: One for each keypoint.
        sizes: One for each of ``SIZES``.
        false: Predictions that belong to no person, in COCO's format of results; those
            on crowds and on persons without labelled keypoints are not among them.
        images: Number of images in the annotations.
        unpredicted_images: Number of those that the predictions do not mention.
        image_folder: What file names are relative to.
        meta: Of the data set, as MMPose has it.
    """

    metrics: dict[str, float]
    persons: list[Person]
    keypoints: list[KeypointStats]
    sizes: list[SizeStats]
    false: list[dict[str, Any]]
    images: int
    unpredicted_images: int
    image_folder: Path
    meta: dict[str, Any] = field(repr=False)

    def count(self, state: str) -> int:
        """Number of persons that are ``matched``, ``inaccurate`` or ``missed``."""
        return sum(person.state == state for person in self.persons)

    def worst(self, number: int) -> list[Person]:
        """Persons of the lowest OKS first; of equal ones the largest."""
        ranked = sorted(self.persons, key=lambda person: (person.oks, -person.area))
        return ranked[:number]


def analyse(cfg: Config, samples: Sequence[dict[str, Any]]) -> Analysis:
    """Evaluate predictions and take the result apart.

    Args:
        cfg: A config of MMPose whose test evaluator is ``CocoMetric``.
        samples: What :func:`~.dumps.read_dump` returns.

    Raises:
        UserError: If the evaluator is another one or has no annotations, or the
            predictions are not of this data set.
    """
    init_default_scope('mmpose')
    settings = coco_metric(cfg)
    # Not the images: for the names, colours and sigmas of the keypoints.
    lazily = dict(cfg.test_dataloader.dataset, lazy_init=True, pipeline=[])
    dataset = DATASETS.build(lazily)
    meta = dataset.metainfo
    with tempfile.TemporaryDirectory() as folder, _silence():
        prefix = f'{folder}/results'
        metric = _build_metric(dict(settings, outfile_prefix=prefix))
        metric.dataset_meta = dict(meta)
        if metric.coco is None:
            raise UserError(f'{cfg.filename}: test_evaluator has no annotations')
        check_belongs(samples, metric.coco, metric.dataset_meta['num_keypoints'])
        metric.process([], samples)
        metrics = metric.evaluate(len(samples))
        predictions = metric.coco.loadRes(f'{prefix}.keypoints.json')
        sigmas = np.asarray(metric.dataset_meta['sigmas'])
        evaluator = COCOeval(
            metric.coco, predictions, 'keypoints', sigmas, metric.use_area
        )
        bounds = [[least**2, most**2] for _, least, most in SIZES]
        evaluator.params.areaRng = bounds
        evaluator.params.areaRngLbl = [name for name, _, _ in SIZES]
        evaluator.evaluate()
        evaluator.accumulate()
    persons, false = match_persons(evaluator)
    if not persons:
        raise UserError(f'{metric.ann_file} has no person with labelled keypoints')
    seen = {sample['img_id'] for sample in samples}
    return Analysis(
        metrics={name: float(value) for name, value in metrics.items()},
        persons=persons,
        keypoints=keypoint_stats(persons, _names(meta, len(sigmas))),
        sizes=_size_stats(evaluator, persons),
        false=false,
        images=len(metric.coco.imgs),
        unpredicted_images=len(metric.coco.imgs.keys() - seen),
        image_folder=Path(dataset.data_prefix['img']),
        meta=meta,
    )


def coco_metric(cfg: Config) -> dict[str, Any]:
    """The settings of MMPose's ``CocoMetric`` in a config.

    Raises:
        UserError: If the config has no such evaluator, or it does not evaluate.
    """
    evaluators = cfg.get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    kinds = [str(item.get('type')) for item in evaluators]
    for kind, settings in zip(kinds, evaluators):
        if kind.split('.')[-1] != 'CocoMetric':
            continue
        if settings.get('format_only'):
            raise UserError(
                f'{cfg.filename}: test_evaluator.format_only=True: a test set without '
                'annotations, there is nothing to compare predictions with'
            )
        if settings.get('iou_type', 'keypoints') != 'keypoints':
            raise UserError(
                f'{cfg.filename}: test_evaluator.iou_type is {settings["iou_type"]}, '
                "only 'keypoints' can be analysed"
            )
        return settings
    raise UserError(
        f'{cfg.filename}: test_evaluator is {", ".join(kinds) or "missing"}, and only '
        'CocoMetric can be analysed: OKS needs the areas and sigmas of COCO'
    )


def _build_metric(settings: dict[str, Any]) -> Any:
    try:
        return METRICS.build(settings)
    except Exception as error:  # of any kind: broken JSON, missing keys, assertions
        raise UserError(
            f'annotation file {settings.get("ann_file")} cannot be used: '
            f'{one_line(error)}'
        ) from error


def _silence() -> contextlib.AbstractContextManager:
    """The COCO API prints its progress, and a table that does not fit our sizes."""
    return contextlib.redirect_stdout(io.StringIO())


def check_belongs(samples: Sequence[dict], coco: COCO, num_keypoints: int) -> None:
    """Check that predictions are of the data set that is to judge them.

    Raises:
        UserError: If an image or a person is not in the annotations, or the number of
            keypoints is another.
    """
    for sample in samples:
        found = sample['pred_instances']['keypoints'].shape[1]
        if found != num_keypoints:
            raise UserError(
                f'the predictions have {found} keypoints and the data set '
                f'{num_keypoints}: they do not belong together'
            )
        if sample['img_id'] not in coco.imgs:
            raise UserError(
                f'the predictions are not of this data set: its annotations have no '
                f'image {sample["img_id"]}'
            )
        # Without a detector, each sample brings along the annotation it was made from.
        raw = sample.get('raw_ann_info')
        for one in raw if isinstance(raw, list) else [raw]:
            if one and coco.anns.get(one['id'], {}).get('bbox') != one['bbox']:
                raise UserError(
                    f'the predictions are not of this data set: person {one["id"]} on '
                    f'image {sample["img_id"]} is not in its annotations, or elsewhere'
                )


def keypoint_stats(
    persons: Sequence[Person], names: Sequence[str]
) -> list[KeypointStats]:
    """Sum up each keypoint over all persons."""
    points = np.array([person.annotation['keypoints'] for person in persons])
    labelled = (points.reshape(len(persons), -1, 3)[..., 2] > 0).sum(axis=0)
    roots = np.sqrt([person.area for person in persons])
    stats = []
    for index, name in enumerate(names):
        distances = np.array([person.distances[index] for person in persons])
        similar = np.array([person.similarities[index] for person in persons])
        known = ~np.isnan(distances)
        relative = (distances / roots)[known]
        similar, distances = similar[known], distances[known]
        numbers = (None,) * 4
        if known.any():
            numbers = (
                float(similar.mean()),
                float((similar < 0.5).mean()),
                float(np.median(distances)),
                float(np.median(relative)),
            )
        count = int(labelled[index])
        stats.append(KeypointStats(name, count, int(known.sum()), *numbers))
    return stats


def _names(meta: dict[str, Any], count: int) -> list[str]:
    """Names of the keypoints; numbers where a converter has made others of them."""
    names = meta['keypoint_id2name']
    if len(names) != count:
        return [f'keypoint {index}' for index in range(count)]
    return [names[index] for index in range(count)]


def _size_stats(evaluator: COCOeval, persons: Sequence[Person]) -> list[SizeStats]:
    areas = np.array([person.area for person in persons])
    precision, recall = evaluator.eval['precision'], evaluator.eval['recall']
    stats = []
    for index, (name, least, most) in enumerate(SIZES):
        count = int(((areas >= least**2) & (areas <= most**2)).sum())
        ap = _mean(precision[:, :, :, index, 0])
        ar = _mean(recall[:, :, index, 0])
        most = None if most == ENDLESS else most
        stats.append(SizeStats(name, least, most, count, ap, ar))
    return stats


def _mean(values: np.ndarray) -> float | None:
    """COCOeval's mean: of categories without persons it says -1."""
    values = values[values > -1]
    return float(values.mean()) if len(values) else None
