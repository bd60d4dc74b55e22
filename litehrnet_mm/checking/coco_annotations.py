"""Annotations of COCO's format, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from litehrnet_mm.checking.coco_entries import Category
from litehrnet_mm.checking.findings import ERROR, KINDS
from litehrnet_mm.checking.keypoints import SLACK, Keypoints, keypoint_faults
from litehrnet_mm.values import are_numbers, is_id, is_number, shown

EVALUATED = ('area', 'iscrowd', 'num_keypoints')
"""What MMPose's CocoMetric needs beyond what training does."""

MOST_KEYPOINTS = 1000
"""Of a person, where no category names them; whole bodies and faces have hundreds."""

SMALLEST_POLYGON = 6
"""Values of a triangle."""


@dataclass(frozen=True)
class AnnotationCheck:
    """Looks through annotations of a file.

    Attributes:
        sizes: Width and height of each image, by id; ``None`` where it is not known.
        categories: By id.
    """

    sizes: Mapping[int, tuple[int, int] | None]
    categories: Mapping[int, Category]

    def faults(self, annotation: Any) -> Iterator[tuple[str, str]]:
        """Kinds of findings, and values, of one annotation."""
        if not isinstance(annotation, dict):
            yield 'annotation-entry', f'{shown(annotation)} where an object is expected'
            return
        yield from _field_faults(annotation)
        for key, kind, known in (
            ('image_id', 'annotation-image', self.sizes),
            ('category_id', 'category-id', self.categories),
        ):
            if is_id(annotation.get(key)) and annotation[key] not in known:
                yield kind, f'{key} {annotation[key]}'
        yield from self._pose_faults(annotation)

    def spoils(self, annotation: Any) -> str | None:
        """The first kind of error that an annotation has, if any."""
        kinds = (kind for kind, _ in self.faults(annotation))
        return next((kind for kind in kinds if KINDS[kind][0] == ERROR), None)

    def category(self, annotation: Mapping[str, Any]) -> Category:
        """The category of an annotation; one of no keypoints if there is none."""
        number = annotation.get('category_id')
        found = self.categories.get(number) if is_id(number) else None
        return found or Category(None, False)

    def size(self, annotation: Mapping[str, Any]) -> tuple[int, int] | None:
        """Width and height of an annotation's image, if they are known."""
        number = annotation.get('image_id')
        return self.sizes.get(number) if is_id(number) else None

    def names(self, annotation: Mapping[str, Any]) -> Sequence[str]:
        """Names of the keypoints that an annotation should have."""
        keypoints = self.category(annotation).keypoints
        return keypoints.names if keypoints else ()

    def _pose_faults(self, annotation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        lacking = [key for key in ('bbox', 'keypoints') if key not in annotation]
        if lacking and self.category(annotation).expected:
            yield 'no-keypoints', f'has no {" and no ".join(lacking)}'
        size, box = self.size(annotation), annotation.get('bbox')
        fault = box_fault(box, size) if 'bbox' in annotation else None
        if fault:
            yield fault, shown(box) + (f', image {size[0]}x{size[1]}' if size else '')
        if 'keypoints' in annotation:
            lacking = [key for key in EVALUATED if key not in annotation]
            if lacking:
                yield 'not-evaluated', f'has no {", no ".join(lacking)}'
            usable = 'bbox' in annotation and fault in (None, 'box-beyond')
            names = self.names(annotation)
            yield from keypoint_faults(annotation, names, size, box if usable else None)


def _field_faults(annotation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ('id', 'image_id', 'category_id'):
        if not is_id(annotation.get(key)):
            value = shown(annotation.get(key))
            yield 'annotation-entry', f'{key} is {value}, not a whole number'
    if is_id(annotation.get('id')) and annotation['id'] == 0:
        yield 'id-zero', ''
    crowd, area = annotation.get('iscrowd', 0), annotation.get('area', 0)
    if crowd not in (0, 1):
        yield 'annotation-entry', f'iscrowd is {shown(crowd)}, not 0 or 1'
    if not is_number(area) or area < 0:
        yield 'annotation-entry', f'area is {shown(area)}, not an area in pixels'
    fault = segmentation_fault(annotation.get('segmentation', []))
    if fault:
        yield 'segmentation', fault


def segmentation_fault(value: Any) -> str | None:
    """What is wrong with a segmentation, if anything is.

    COCO's evaluation of keypoints and top-down training do not look at it; bottom-up
    training and pycocotools' masks fail at one that is wrong.

    Args:
        value: Polygons, each x and y in turn, none of them too; or run lengths, as
            whole numbers or in COCO's letters, with height and width.
    """
    if isinstance(value, list):
        faults = (_polygon_fault(index, x) for index, x in enumerate(value))
        return next(filter(None, faults), None)
    if not isinstance(value, dict):
        return f'{shown(value)} where polygons or run lengths are expected'
    size, counts = value.get('size'), value.get('counts')
    if not isinstance(size, list) or len(size) != 2 or not all(map(is_id, size)):
        return f'size is {shown(size)}, not height and width'
    if isinstance(counts, str) or (
        isinstance(counts, list) and all(map(is_id, counts))
    ):
        return None
    return f'counts is {shown(counts)}, not a text or a list of whole numbers'


def _polygon_fault(index: int, polygon: Any) -> str | None:
    if not are_numbers(polygon):
        return f'polygon {index} is {shown(polygon)}, not a list of numbers'
    if len(polygon) < SMALLEST_POLYGON or len(polygon) % 2:
        return (
            f'polygon {index} has {len(polygon)} values, not an even number of at '
            f'least {SMALLEST_POLYGON}'
        )
    return None


def box_fault(box: Any, size: tuple[int, int] | None) -> str | None:
    """The kind of fault of a box, if it has one.

    Args:
        box: x, y, width and height, or anything else.
        size: Width and height of its image, if they are known.
    """
    if not are_numbers(box) or len(box) != 4:
        return 'box-value'
    if box[2] <= 0 or box[3] <= 0:
        return 'box-empty'
    if size is None:
        return None
    x1, y1, x2, y2 = cut = cut_box(box, size)
    if x2 <= x1 or y2 <= y1:
        return 'box-outside'
    x, y, width, height = box
    beyond = np.abs(np.subtract(cut, (x, y, x + width, y + height))) > SLACK
    return 'box-beyond' if beyond.any() else None


def cut_box(box: Sequence[float], size: tuple[int, int]) -> tuple[float, ...]:
    """Left, top, right and bottom of a box as far as it lies in its image."""
    x, y, width, height = box
    return (
        *(min(max(x, 0), size[0]), min(max(y, 0), size[1])),
        *(min(max(x + width, 0), size[0]), min(max(y + height, 0), size[1])),
    )


def with_guessed_keypoints(
    categories: Mapping[int, Category], annotations: Sequence[Any]
) -> dict[int, Category]:
    """Number keypoints where a category does not name them: as most annotations do."""
    lengths: dict[int, Counter[int]] = {}
    for annotation in annotations:
        found = isinstance(annotation, dict) and annotation.get('category_id')
        if is_id(found) and isinstance(annotation.get('keypoints'), list):
            lengths.setdefault(found, Counter())[len(annotation['keypoints'])] += 1
    guessed = {}
    for number, category in categories.items():
        if category.keypoints is None and number in lengths:
            ((length, _),) = lengths[number].most_common(1)
            count = min(length // 3, MOST_KEYPOINTS)
            names = [f'keypoint {index}' for index in range(count)]
            guessed[number] = Category(Keypoints.by_names(names), category.expected)
    return {**categories, **guessed}
