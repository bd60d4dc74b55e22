"""COCO's average precision of an exported pose network."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from litehrnet_mm.checking.coco_annotations import EVALUATED
from litehrnet_mm.checking.coco_file import read_coco
from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.checking.keypoints import count_fault
from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.evaluation.scores import pose_score
from litehrnet_mm.runtime import PoseRuntime
from litehrnet_mm.runtime.model import ImageError
from litehrnet_mm.values import shown
from litehrnet_mm.visualization.pictures import read_image


@dataclass(frozen=True)
class Persons:
    """The persons of an image.

    Attributes:
        image_id: Of COCO.
        path: The image.
        boxes: ``(N, 4)``: left, top, right, bottom, in pixels.
    """

    image_id: int
    path: Path
    boxes: np.ndarray


def read_persons(annotations: Path, images: Path) -> list[Persons]:
    """Annotated persons of COCO, as MMPose evaluates them.

    Args:
        annotations: A file like ``person_keypoints_val2017.json``.
        images: The folder of its images.

    Raises:
        UserError: If the file cannot be read, or there are no persons in it.
    """
    content = read_coco(annotations)
    lacking, first = check_entries(annotations, content)
    if lacking:
        raise UserError(
            f'annotation file {annotations}: {first} has no box or no keypoints'
        )
    sizes = {image['id']: image for image in content['images']}
    boxes: dict[int, list[list[float]]] = {}
    for person in content.get('annotations', ()):
        if person.get('num_keypoints') and not person.get('iscrowd'):
            image = sizes[person['image_id']]
            x, y, w, h = person['bbox']
            xs = np.clip((x, x + w), 0, image['width'] - 1)
            ys = np.clip((y, y + h), 0, image['height'] - 1)
            box = [xs[0], ys[0], xs[1], ys[1]]
            boxes.setdefault(image['id'], []).append(box)
    if not boxes:
        raise UserError(f'{annotations} has no person with keypoints')
    absent = [s['file_name'] for s in sizes.values() if s['id'] in boxes]
    absent = [name for name in absent if not os.path.isfile(images / name)]
    if absent:
        first = shown(absent[0])
        raise UserError(
            f'{len(absent)} images of {annotations} are not in {images}: {first}'
        )
    return [
        Persons(key, images / sizes[key]['file_name'], np.array(found, np.float32))
        for key, found in boxes.items()
    ]


def check_evaluated(annotations: Path, keypoints: int) -> None:
    """Refuse what COCO's evaluation would fail at, once all poses are found.

    Args:
        annotations: A file like ``person_keypoints_val2017.json``.
        keypoints: Those of the network.

    Raises:
        UserError: If an annotation lacks what is needed, or the keypoints are others
            than COCO's.
    """
    count = len(Params('keypoints').kpt_oks_sigmas)
    if keypoints != count:
        raise UserError(
            f"COCO's AP is of {count} keypoints, and the network finds {keypoints}: "
            'leave out --evaluate'
        )
    for index, person in enumerate(read_coco(annotations).get('annotations', ())):
        place = f'annotation file {annotations}: annotations[{index}]'
        known = person if isinstance(person, dict) else {}
        lacking = [key for key in EVALUATED if key not in known]
        if lacking:
            raise UserError(
                f"{place} has no {', no '.join(lacking)}, which COCO's AP needs"
            )
        values = known.get('keypoints')
        fault = count_fault(values, count) if isinstance(values, list) else None
        if fault:
            raise UserError(f'{place} {fault}')


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the picture in what a network says of it.

    Raises:
        UserError: If the picture is at fault.
    """
    try:
        yield
    except ImageError as error:
        raise UserError(f'image {path}: {error}') from error


def average_precision(
    pose: PoseRuntime, annotations: Path, persons: list[Persons]
) -> float:
    """AP of the poses found in the boxes of annotated persons.

    Args:
        pose: The network.
        annotations: The file that ``persons`` were read from.
        persons: By image.

    Raises:
        UserError: If an image cannot be read, or made an input.
    """
    results = []
    for found in progress_bar(persons, len(persons), title='Evaluating'):
        image = read_image(found.path)
        with naming(found.path):
            points, scores = pose(image, found.boxes)
        for keypoints, values in zip(points, scores):
            results.append(
                dict(
                    image_id=found.image_id,
                    category_id=1,
                    keypoints=np.column_stack((keypoints, values)).ravel().tolist(),
                    score=pose_score(1, values),
                )
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes(results), 'keypoints')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])
