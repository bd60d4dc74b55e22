"""Whether the entries of an annotation file can be used at all, before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from litehrnet_mm.checking.coco_annotations import (
    AnnotationCheck,
    with_guessed_keypoints,
)
from litehrnet_mm.checking.coco_entries import Images, read_categories, read_images
from litehrnet_mm.checking.findings import KINDS, Findings
from litehrnet_mm.checking.keypoints import Keypoints
from litehrnet_mm.cli import UserError
from litehrnet_mm.values import is_id, shown

STRUCTURE = (
    *('image-entry', 'image-id', 'category-entry', 'category-id', 'annotation-entry'),
    *('annotation-id', 'annotation-image', 'box-value', 'keypoint-value'),
    'keypoint-count',
)
"""Kinds of findings that end a run far away, or silently take data from it."""


def check_entries(
    path: Path, content: Mapping[str, Any], keypoints: Keypoints | None = None
) -> tuple[int, str]:
    """Refuse an annotation file whose entries are not what the format says.

    Args:
        path: The file, for messages.
        content: What :func:`~litehrnet_mm.checking.coco_file.read_coco` returned.
        keypoints: Those of the config, whatever the file's categories name; without
            them the categories say how many there are.

    Returns:
        How many annotations have no box or no keypoints, and are left out by MMPose;
        the first of them.

    Raises:
        UserError: For the first entry that is at fault.
    """
    findings = Findings()
    annotations = content.get('annotations', [])
    categories = read_categories(content['categories'], keypoints, findings)
    images = read_images(content['images'], Path(), findings)
    sizes = {x: getattr(images.entries.get(x), 'size', None) for x in images.ids}
    check = AnnotationCheck(sizes, with_guessed_keypoints(categories, annotations))
    report_annotations(annotations, check, images, findings)
    for item in findings.items:
        if item.kind in STRUCTURE:
            what = KINDS[item.kind][1]
            raise UserError(
                f'annotation file {path}: {what}: {item}; tools/check_dataset.py '
                'lists all faults'
            )
    lacking = findings.of('no-keypoints')
    return findings.counts['no-keypoints'], lacking[0].place if lacking else ''


def report_annotations(
    annotations: Sequence[Any],
    check: AnnotationCheck,
    images: Images,
    findings: Findings,
) -> None:
    """Add what is wrong with each annotation by itself, and with their ids."""
    seen = set()
    for index, annotation in enumerate(annotations):
        place = f'annotations[{index}]'
        if isinstance(annotation, dict):
            number, image = annotation.get('id'), annotation.get('image_id')
            place = f'annotation {number}' if is_id(number) else place
            entry = images.entries.get(image) if is_id(image) else None
            place += f' of {shown(entry.record["file_name"])}' if entry else ''
            if is_id(number) and number in seen:
                findings.add('annotation-id', place)
            if is_id(number):
                seen.add(number)
        for kind, value in check.faults(annotation):
            findings.add(kind, place, value)
