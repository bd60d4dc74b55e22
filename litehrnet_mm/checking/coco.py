"""Sets of keypoints in COCO's format: looked through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litehrnet_mm.checking.coco_annotations import (
    AnnotationCheck,
    with_guessed_keypoints,
)
from litehrnet_mm.checking.coco_entries import Images, read_categories, read_images
from litehrnet_mm.checking.coco_file import read_coco
from litehrnet_mm.checking.coco_structure import report_annotations
from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.checking.images import ImageFacts, look_at_images
from litehrnet_mm.checking.inspection import Inspection
from litehrnet_mm.checking.keypoints import Keypoints
from litehrnet_mm.checking.mending import mend_coco
from litehrnet_mm.checking.sides import side_hints
from litehrnet_mm.values import are_numbers, is_id, shown


@dataclass(frozen=True)
class CocoSet:
    """An annotation file and its images.

    Attributes:
        splits: What uses it.
        path: The annotation file.
        folder: That names of images are relative to.
        keypoints: Those of the config; without one the file's categories name them.
    """

    splits: tuple[str, ...]
    path: Path
    folder: Path
    keypoints: Keypoints | None = None

    def key(self) -> Any:
        """The files that it consists of."""
        return self.path, self.folder, self.keypoints

    def folders(self) -> list[Path]:
        """The folder of its images."""
        return [self.folder]

    def inspect(self, jobs: int) -> Inspection:
        """Look through annotations, decode images.

        Raises:
            UserError: If the annotation file cannot be read as COCO's.
        """
        content = read_coco(self.path)
        annotations = content.get('annotations', [])
        findings = Findings()
        categories = with_guessed_keypoints(
            read_categories(content['categories'], self.keypoints, findings),
            annotations,
        )
        images = read_images(content['images'], self.folder, findings)
        paths = list(dict.fromkeys(entry.path for entry in images.entries.values()))
        title = f'Decoding images ({self.splits[0]})'
        facts = look_at_images(paths, jobs, title)
        usable = _report_images(images, facts, findings)
        sizes = {x: getattr(images.entries.get(x), 'size', None) for x in images.ids}
        check = AnnotationCheck(sizes, categories)
        report_annotations(annotations, check, images, findings)
        persons = _check_poses(annotations, check, findings)
        _report_coverage(annotations, images, findings)
        if not images.ids or ('annotations' in content and not persons):
            what = (
                'no annotation with a labelled keypoint' if images.ids else 'no image'
            )
            findings.add('empty', str(self.path), what)
        digests = {path: x.digest for path, x in facts.items() if x.digest}
        counts = f'{len(content["images"])} images, {len(annotations)} annotations'
        return Inspection(
            self.splits,
            f'{self.path}: {counts}, {persons} with labelled keypoints',
            findings,
            digests,
            state=(content, images, usable, check),
        )

    def mend(self, inspection: Inspection, out: Path) -> list[str]:
        """Write a mended annotation file: ``out``, with ``.json`` added if need be.

        Raises:
            UserError: If nothing usable is left.
        """
        content, images, usable, check = inspection.state
        kept = {x for x in usable if images.entries[x].path not in inspection.leaked}
        path = out if out.suffix == '.json' else out.with_name(f'{out.name}.json')
        return mend_coco(content, kept, check, path)


def _report_images(
    images: Images, facts: Mapping[Path, ImageFacts], findings: Findings
) -> set[int]:
    """Add faults of files; the ids of images that can be used."""
    usable = set()
    for number, entry in images.entries.items():
        found = facts[entry.path]
        found.report(findings, shown(str(entry.path), 200))
        if found.size == entry.size:
            usable.add(number)
        elif found.size is not None:
            turned = ' (turned by EXIF)' if found.stored == entry.size else ''
            sizes = ['{}x{}'.format(*size) for size in (found.size, entry.size)]
            text = f'{sizes[0]}, annotated as {sizes[1]}{turned}'
            findings.add('image-size', shown(str(entry.path), 200), text)
    return usable


def _check_poses(
    annotations: Sequence[Any], check: AnnotationCheck, findings: Findings
) -> int:
    """Look at all poses together; the number of those with a labelled keypoint."""
    poses = defaultdict(list)
    for annotation in annotations:
        if not isinstance(annotation, dict) or not annotation.get('keypoints'):
            continue
        values, keypoints = (
            annotation['keypoints'],
            check.category(annotation).keypoints,
        )
        if (
            keypoints
            and are_numbers(values)
            and len(values) == 3 * len(keypoints.names)
        ):
            points = np.array(values, float).reshape(-1, 3)
            if (points[:, 2] > 0).any():
                poses[keypoints].append(points)
    for keypoints, points in poses.items():
        for what, why in side_hints(np.array(points), keypoints):
            findings.add('sides', what, why)
    return sum(map(len, poses.values()))


def _report_coverage(
    annotations: Sequence[Any], images: Images, findings: Findings
) -> None:
    """Note images that have no annotation, or crowds alone."""
    crowds = defaultdict(list)
    for annotation in annotations:
        if isinstance(annotation, dict) and is_id(annotation.get('image_id')):
            crowds[annotation['image_id']].append(annotation.get('iscrowd') == 1)
    for number, entry in images.entries.items():
        place = shown(str(entry.path), 200)
        if number not in crowds and annotations:
            findings.add('image-bare', place)
        elif number in crowds and all(crowds[number]):
            findings.add('crowd-only', place)
