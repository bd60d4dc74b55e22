"""Readers of COCO's annotation files: the check of data sets, a run, evaluation."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from isolation import OUT, Files, Input
from made_up import annotation, pose
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, DefaultScope
from mutations import JSON
from target import Target

from litehrnet_mm.checking.coco import CocoSet
from litehrnet_mm.checking.copies import UNMENDED
from litehrnet_mm.checking.findings import ERROR, NOTE
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.keypoint_check import check_keypoints
from litehrnet_mm.engine.preflight import check_data
from litehrnet_mm.evaluation.coco_keypoints import read_persons

NAMES = ('nose', 'left_eye', 'right_eye')
SIDE = 64


def picture(seed: int) -> bytes:
    """A small JPEG."""
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return cv2.imencode('.jpg', pixels)[1].tobytes()


def person(number: int, image: int) -> dict[str, Any]:
    """A person with three keypoints."""
    points = pose(4, 4, number)[: len(NAMES)] / 2
    found = annotation(number, image, points)
    outline = [[2.0, 2.0, 42.0, 2.0, 42.0, 52.0]]
    if number % 2:
        outline = dict(size=[SIDE, SIDE], counts=[66, 40, SIDE**2 - 106])
    more = dict(bbox=[2.0, 2.0, 40.0, 50.0], area=900.5, segmentation=outline)
    return {**found, **more}


def annotations(seed: int) -> dict[str, Any]:
    """An annotation file of three images."""
    numbers = [100 * seed + k for k in (1, 2, 3)]
    return dict(
        info=dict(description='made up'),
        images=[
            dict(id=k, file_name=f'{k}.jpg', width=SIDE, height=SIDE) for k in numbers
        ],
        annotations=[person(10 * k + j, k) for k in numbers for j in range(2)],
        categories=[
            dict(id=1, name='person', keypoints=list(NAMES), skeleton=[[1, 2]])
        ],
    )


def coco_seeds() -> list[Files]:
    """Two annotation files with their images."""
    seeds = []
    for seed in (0, 1):
        content = annotations(seed)
        images = {
            f'images/{x["file_name"]}': picture(x['id']) for x in content['images']
        }
        seeds.append({'x.json': json.dumps(content).encode(), **images})
    return seeds


def whole(value: Any) -> bool:
    """Whether a value is an id."""
    return type(value) is int and 0 <= value < 2**63


def numbers(value: Any, count: int | None = None) -> bool:
    """Whether a value is a list of so many numbers."""
    return (
        isinstance(value, list)
        and len(value) == (len(value) if count is None else count)
        and all(type(x) in (int, float) and abs(x) < 1e10 for x in value)
    )


def is_sound(content: Any, pixels: bool = True) -> bool:
    """Whether an annotation file is what COCO's format asks of keypoints.

    This is the harness's own opinion, written down once more and simply: ids are whole
    numbers, each once; what refers to another is there; boxes and keypoints are
    finite numbers, as many as there must be.
    """
    try:
        images, persons = content['images'], content['annotations']
        kinds = {x['id'] for x in content['categories'] if whole(x['id'])}
        ids = [x['id'] for x in images]
        return (
            len(kinds) == len(content['categories'])
            and all(map(whole, ids + [x['id'] for x in persons]))
            and len(set(ids)) == len(ids)
            and len({x['id'] for x in persons}) == len(persons)
            and all(isinstance(x['file_name'], str) and x['file_name'] for x in images)
            and all(whole(x[k]) and x[k] for x in images for k in ('width', 'height'))
            and all(whole(x['image_id']) and x['image_id'] in ids for x in persons)
            and all(whole(x['category_id']) for x in persons)
            and {x['category_id'] for x in persons} <= kinds
            and all(numbers(x['bbox'], 4) for x in persons)
            and all(numbers(x['keypoints'], 3 * len(NAMES)) for x in persons)
        )
    except (KeyError, TypeError, AttributeError):
        return False


def is_outlined(content: Any) -> bool:
    """Whether segmentations are polygons or run lengths: its own opinion, too."""
    outlines = [x.get('segmentation', []) for x in content['annotations']]
    return all(runs(x) if isinstance(x, dict) else polygons(x) for x in outlines)


def polygons(value: Any) -> bool:
    """Whether a value is a list of triangles or what has more corners."""
    return isinstance(value, list) and all(
        numbers(x) and len(x) >= 6 and len(x) % 2 == 0 for x in value
    )


def runs(value: dict[str, Any]) -> bool:
    """Whether an object has a height and width, and run lengths in either form."""
    size, counts = value.get('size'), value.get('counts')
    sides = isinstance(size, list) and len(size) == 2 and all(map(whole, size))
    return sides and (
        isinstance(counts, str)
        or (isinstance(counts, list) and all(map(whole, counts)))
    )


def content_of(item: Input, name: str = 'x.json') -> Any:
    """What the harness itself reads in a changed file; a text is no JSON for it."""
    try:
        return json.loads(item.files[name])
    except (ValueError, RecursionError):
        return 'no JSON'


def judge_coco(expected: Any, found: Any, item: Input) -> str:
    """What is not sound must have been refused, or be among the findings.

    A mended copy must be sound, with no error left that can be mended.
    """
    kinds, mended, left = found
    content = content_of(item)
    sound = is_sound(content) and is_outlined(content)
    if not kinds and not sound:
        return 'nothing was found'
    if mended is None:
        return ''
    lists = [x for x in mended['annotations'] if {'bbox', 'keypoints'} <= x.keys()]
    if left or not is_sound({**mended, 'annotations': lists}):
        return f'the copy still has {left}: {str(mended)[:200]}'
    return ''


def check(folder: Path) -> Any:
    """Look through annotations, as tools/check_dataset.py does, and mend them.

    Returns:
        Kinds of findings; the copy, if anything usable was left; its kinds of errors.
    """
    one = CocoSet(('train',), folder / 'x.json', folder / 'images')
    found = one.inspect(jobs=1)
    found.findings.as_text(5)
    kinds = [item.kind for item in found.findings.items if item.level != NOTE]
    copy = replace(one, path=folder / OUT / 'x.json')
    try:
        one.mend(found, copy.path)
    except UserError as error:
        if 'nothing usable is left' not in str(error):
            raise
        return kinds, None, []
    again = copy.inspect(jobs=1).findings.items
    left = {x.kind for x in again if x.level == ERROR} - {*UNMENDED}
    return kinds, json.loads(copy.path.read_bytes()), sorted(left)


def pose_config(folder: Path) -> Config:
    """A config of keypoints of one's own, as configs/pose/custom has them."""
    points = {
        k: dict(name=name, id=k, color=[0, 0, 0], type='upper', swap=swap)
        for k, (name, swap) in enumerate(zip(NAMES, ('', 'right_eye', 'left_eye')))
    }
    info = dict(
        dataset_name='own', keypoint_info=points, skeleton_info={}, paper_info={},
        joint_weights=[1.0] * 3, sigmas=[0.05] * 3,
    )  # fmt: skip
    dataset = dict(
        type='CocoDataset', data_root=f'{folder}/', ann_file='x.json', metainfo=info,
        data_prefix=dict(img='images/'), data_mode='topdown', pipeline=[],
    )  # fmt: skip
    return Config(dict(train_dataloader=dict(dataset=dataset), model=dict()))


@contextlib.contextmanager
def logging_to(stream: io.StringIO) -> Iterator[None]:
    """What MMEngine logs goes into a stream, too."""
    handler = logging.StreamHandler(stream)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def start_run(folder: Path) -> Any:
    """What tools/train.py does with annotations before the first iteration."""
    cfg = pose_config(folder)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        check_data(cfg, ('train',))
        with logging_to(said):
            check_keypoints(cfg, ('train',))
    with data_errors(cfg), DefaultScope.overwrite_default_scope('mmpose'):
        built = DATASETS.build(cfg.train_dataloader.dataset)
        found = [built.get_data_info(k) for k in range(len(built))]
    good = [np.isfinite(x['keypoints']).all() for x in found]
    return len(found), all(good), said.getvalue()


def judge_run(expected: Any, found: Any, item: Input) -> str:
    """A run may only start with sound annotations."""
    if not found[1]:
        return 'keypoints that are not finite'
    content = content_of(item)
    if 'not used' in found[2]:  # what is without box or keypoints was named
        lists = [x for x in content['annotations'] if {'bbox', 'keypoints'} <= x.keys()]
        content['annotations'] = lists
    return '' if is_sound(content) else f'started with {found[0]} persons'


def persons_of(folder: Path) -> Any:
    """Persons to evaluate an exported file on."""
    found = read_persons(folder / 'x.json', folder / 'images')
    return [
        (type(x.image_id), x.boxes.shape[1:], bool(np.isfinite(x.boxes).all()))
        for x in found
    ]


def judge_persons(expected: Any, found: Any, item: Input) -> str:
    """Boxes must be finite, and the file sound."""
    if not all(x == (int, (4,), True) for x in found):
        return f'read as {found}'
    content = content_of(item)
    for one in content['annotations'] if isinstance(content, dict) else ():
        one.setdefault('category_id', 1)  # which this reader does not look at
    return '' if is_sound(content) else 'nothing was said'


TARGETS = [
    Target('check of COCO sets', coco_seeds, 'x.json', JSON, check, judge_coco),
    Target('start of a pose run', coco_seeds, 'x.json', JSON, start_run, judge_run),
    Target('persons to evaluate', coco_seeds, 'x.json', JSON, persons_of,
           judge_persons),
]  # fmt: skip
