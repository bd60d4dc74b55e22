"""A mended copy of an annotation file: what cannot be used is left out, or reset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from litehrnet_mm.checking.coco_annotations import (
    AnnotationCheck,
    box_fault,
    cut_box,
    segmentation_fault,
)
from litehrnet_mm.checking.coco_entries import is_category
from litehrnet_mm.checking.findings import KINDS
from litehrnet_mm.checking.keypoints import SLACK, outside
from litehrnet_mm.cli import UserError
from litehrnet_mm.files import write_whole
from litehrnet_mm.values import are_numbers, is_id


def mend_coco(
    content: Mapping[str, Any],
    kept: Collection[int],
    check: AnnotationCheck,
    path: Path,
) -> list[str]:
    """Write a mended copy of an annotation file.

    Args:
        content: The annotation file.
        kept: Ids of images that can be used.
        check: Finds what is wrong with annotations.
        path: Where to write.

    Returns:
        What was changed, line by line.

    Raises:
        UserError: If nothing usable is left, or it cannot be written.
    """
    changes: Counter[str] = Counter()
    images = _images(content, kept)
    changes['images left out'] = len(content['images']) - len(images)
    sizes = {number: check.sizes[number] for number in kept}
    check = AnnotationCheck(sizes, check.categories)
    annotations = _annotations(content.get('annotations', []), check, changes)
    empty = 'annotations' in content and not any(
        annotation.get('num_keypoints') for annotation in annotations
    )
    if empty or not images:
        raise UserError(f'nothing usable is left, so {path} is not written')
    mended = {**content, 'images': images, 'categories': _categories(content)}
    if 'annotations' in content:
        mended['annotations'] = annotations
    write_whole(path, json.dumps(mended).encode())
    counts = f'{len(images)} images, {len(annotations)} annotations'
    return [f'{path}: {counts}', *(f'    {n} {x}' for x, n in changes.items() if n)]


def _images(content: Mapping[str, Any], kept: Collection[int]) -> list[dict]:
    """The first image of each id that is kept."""
    images: dict[int, dict] = {}
    for record in content['images']:
        number = record.get('id') if isinstance(record, dict) else None
        if is_id(number) and number in kept:
            images.setdefault(number, record)
    return list(images.values())


def _categories(content: Mapping[str, Any]) -> list[dict]:
    categories: dict[int, dict] = {}
    for record in filter(is_category, content['categories']):
        categories.setdefault(record['id'], record)
    return list(categories.values())


def _annotations(
    annotations: list[Any], check: AnnotationCheck, changes: Counter[str]
) -> list[dict]:
    """Annotations that can be used, each with an id of its own."""
    kept: dict[int, dict] = {}
    numbers = [x.get('id') for x in annotations if isinstance(x, dict)]
    free = max(filter(is_id, numbers), default=0) + 1
    for annotation in annotations:
        mended, done = mend_annotation(annotation, check)
        kind = check.spoils(mended)
        if kind:
            changes[f'annotations left out: {KINDS[kind][1]}'] += 1
            continue
        changes.update(done)
        if kept.get(mended['id']) == mended:
            changes['annotations left out: the same as another'] += 1
            continue
        if mended['id'] in kept:
            changes['annotations with a new id, since another had theirs'] += 1
            mended = {**mended, 'id': free}
            free += 1
        kept[mended['id']] = mended
    return list(kept.values())


def mend_annotation(
    annotation: Any, check: AnnotationCheck
) -> tuple[Any, Counter[str]]:
    """An annotation with what can be mended, and what that was."""
    changes: Counter[str] = Counter()
    if not isinstance(annotation, dict):
        return annotation, changes
    mended, size = dict(annotation), check.size(annotation)
    if 'bbox' in mended and box_fault(mended['bbox'], size) == 'box-beyond':
        x1, y1, x2, y2 = cut_box(mended['bbox'], size)
        mended['bbox'] = [x1, y1, x2 - x1, y2 - y1]
        changes['boxes cut to their image'] += 1
    if segmentation_fault(mended.get('segmentation', [])):
        del mended['segmentation']
        changes['segmentations left out'] += 1
    values, count = mended.get('keypoints'), len(check.names(annotation))
    if isinstance(values, list) and len(values) == 3 * count:
        mended['keypoints'], reset = _keypoints(values, size)
        changes['keypoints taken for not labelled'] += reset
        labelled = sum(v > 0 for v in mended['keypoints'][2::3])
        if 'num_keypoints' not in mended or mended['num_keypoints'] != labelled:
            changes['num_keypoints counted anew'] += 1
        mended['num_keypoints'] = labelled
        mended.setdefault('iscrowd', 0)
    return mended, changes


def _keypoints(values: list, size: tuple[int, int] | None) -> tuple[list, int]:
    """Keypoints with those that cannot be used at 0, 0, 0; how many these are."""
    mended, reset = [], 0
    for index in range(0, len(values), 3):
        point = values[index : index + 3]
        if _is_usable(point, size):
            mended += point
        else:
            mended += [0, 0, 0]
            reset += 1
    return mended, reset


def _is_usable(point: list, size: tuple[int, int] | None) -> bool:
    if not are_numbers(point) or point[2] not in (0, 1, 2):
        return False
    if not point[2] or size is None:
        return True
    return not outside(np.array([point[:2]]), (0, 0), size, SLACK)[0]
