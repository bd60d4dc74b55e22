"""Readers of COCO's JSON: annotations, boxes, results, and what else is JSON here."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from isolation import Files, Input
from made_up import annotation, pose
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, DefaultScope
from mutations import JSON, TEXT
from target import Target

from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.checking.coco import CocoSet
from litehrnet_mm.checking.coco_file import read_json
from litehrnet_mm.checking.findings import NOTE
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.keypoint_check import check_keypoints
from litehrnet_mm.engine.preflight import check_data
from litehrnet_mm.evaluation.coco_keypoints import read_persons
from litehrnet_mm.evaluation.coco_submission import check_results
from litehrnet_mm.prediction.boxes import FileBoxes
from litehrnet_mm.prediction.onnx_detector import Preparation

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
    return {**found, 'bbox': [2.0, 2.0, 40.0, 50.0], 'area': 900.5}


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


def content_of(item: Input, name: str = 'x.json') -> Any:
    """What the harness itself reads in a changed file; a text is no JSON for it."""
    try:
        return json.loads(item.files[name])
    except (ValueError, RecursionError):
        return 'no JSON'


def judge_coco(expected: Any, found: Any, item: Input) -> str:
    """What is not sound must have been refused, or be among the findings."""
    return '' if found or is_sound(content_of(item)) else 'nothing was found'


def check(folder: Path) -> list[str]:
    """Look through annotations, as tools/check_dataset.py does, and mend them."""
    one = CocoSet(('train',), folder / 'x.json', folder / 'images')
    found = one.inspect(jobs=1)
    found.findings.as_text(5)
    return [item.kind for item in found.findings.items if item.level != NOTE]


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


def boxes_seeds() -> list[Files]:
    """Detections, and annotations."""
    detections = [
        dict(image_id=k, category_id=1, bbox=[1.5, 2, 30, 40], score=0.5 + k / 10)
        for k in (1, 2, 3)
    ]
    contents = (detections, annotations(0))
    return [{'x.json': json.dumps(content).encode()} for content in contents]


def read_boxes(folder: Path) -> Any:
    """Boxes by image."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        found = FileBoxes.read(folder / 'x.json', 0.3)
    arrays = found.by_id.values()
    shapes = {(type(k), x.shape[1]) for k, x in found.by_id.items()}
    count = sum(map(len, arrays))
    finite = all(bool(np.isfinite(x).all()) for x in arrays)
    return count, shapes, finite, said.getvalue()


def judge_boxes(expected: Any, found: Any, item: Input) -> str:
    """As many boxes as entries say, all of them of numbers."""
    if found[1:3] != ({(int, 5)}, True):
        return f'read as {found}'
    content = content_of(item)
    entries = content['annotations'] if isinstance(content, dict) else content
    for entry in entries:
        sound = whole(entry['image_id']) and numbers(entry['bbox'], 4)
        sound = sound and numbers([entry.get('score', 1)])
        sound = sound and whole(entry.get('category_id', 1))
        if not sound:
            return f'an entry says {entry}'
    wanted = [
        x
        for x in entries
        if x.get('category_id', 1) == 1
        and x.get('score', 1) >= 0.3
        and not x.get('iscrowd')
        and (min(x['bbox'][2:]) > 0 or 'no area' not in found[3])
    ]
    return '' if found[0] == len(wanted) else f'{found[0]} boxes of {len(wanted)}'


def results_seeds() -> list[Files]:
    """Keypoints for COCO's server."""
    results = [
        dict(image_id=k, category_id=1, keypoints=[1.5] * 51, score=0.5)
        for k in (1, 2, 3)
    ]
    return [{'x.json': json.dumps(results).encode()}]


def read_results(folder: Path) -> Any:
    """Check them as CocoSubmission does."""
    try:
        check_results(read_json(folder / 'x.json'), (1, 2, 3))
    except UserError as error:  # it knows no file
        raise UserError(f'x.json: {error}') from error


def judge_results(expected: Any, found: Any, item: Input) -> str:
    """COCO's schema, once more."""
    content = content_of(item)
    keys = {'image_id', 'category_id', 'keypoints', 'score'}
    sound = isinstance(content, list) and all(
        x.keys() == keys
        and type(x['image_id']) is int
        and type(x['category_id']) is int
        and x['category_id'] == 1
        and x['image_id'] in (1, 2, 3)
        and numbers(x['keypoints'], 51)
        and type(x['score']) in (int, float)
        and math.isfinite(x['score'])
        for x in content
    )
    return '' if sound else 'the server would refuse it'


def pipeline_seeds() -> list[Files]:
    """The ``pipeline.json`` of an exported detector."""
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', keep_ratio=True, size=[640, 640]),
        dict(type='Normalize', mean=[103.5, 116.3, 123.7], std=[57, 57, 58]),
        dict(type='Pad', pad_val=dict(img=[114, 114, 114])),
    ]
    content = dict(pipeline=dict(tasks=[dict(name='det', transforms=steps)]))
    return [{'pipeline.json': json.dumps(content).encode()}]


def read_pipeline(folder: Path) -> Any:
    """What is done to images."""
    found = Preparation.read(folder / 'pipeline.json')
    return found.mean, found.std, found.padding, found.to_rgb


def judge_pipeline(expected: Any, found: Any, item: Input) -> str:
    """Numbers with which an image can be made an input."""
    mean, std, padding, rgb = found
    sound = (
        [len(mean), len(std)] == [3, 3]
        and all(math.isfinite(x) for x in (*mean, *std))
        and all(x > 0 for x in std)
        and 0 <= padding <= 255
        and isinstance(rgb, bool)
    )
    return '' if sound else f'read as {found}'


def log_seeds() -> list[Files]:
    """What MMEngine logs of training by epochs, and by iterations."""
    by_epoch, by_iter = [], []
    for k in range(1, 7):
        row = dict(lr=0.001, loss=1 / k, time=0.5, iter=10 * k, step=10 * k)
        by_epoch.append({**row, 'epoch': (k + 1) // 2})
        by_iter.append(row)
        if not k % 2:
            by_epoch.append({'coco/AP': k / 10, 'step': k // 2})
    return [
        {'scalars.json': '\n'.join(map(json.dumps, rows)).encode()}
        for rows in (by_epoch, by_iter)
    ]


def read_rows(folder: Path) -> Any:
    """All numbers of a log, and what was said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        log = read_log(folder / 'scalars.json', 'run')
    rows = [(x.iteration, x.epoch, x.is_evaluation, x.values) for x in log.rows]
    return rows, said.getvalue()


def judge_log(expected: Any, found: Any, item: Input) -> str:
    """A row for each line, but a last one that is cut off; its places numbers."""
    rows, said = found
    lines = item.files['scalars.json'].decode().splitlines()
    if len(rows) != len(lines) - bool(said):
        return f'{len(rows)} rows of {len(lines)} lines'
    for (iteration, epoch, _, values), line in zip(rows, lines):
        places = [x for x in (iteration, epoch) if x is not None]
        if not all(math.isfinite(x) and x >= 0 for x in places):
            return f'a row at {places}'
        entry = json.loads(line)
        names = {k for k, x in entry.items() if type(x) in (int, float)}
        places = {'iter', 'epoch', 'step', 'time', 'data_time'}
        if not names - places <= values.keys():
            return f'of {line} only {values} was read'
        if any(type(entry.get(k, 0)) is not int for k in ('iter', 'epoch', 'step')):
            return f'the line {line} was read'
    return ''


TARGETS = [
    Target('check of COCO sets', coco_seeds, 'x.json', JSON, check, judge_coco),
    Target('start of a pose run', coco_seeds, 'x.json', JSON, start_run, judge_run),
    Target('persons to evaluate', coco_seeds, 'x.json', JSON, persons_of,
           judge_persons),
    Target('boxes', boxes_seeds, 'x.json', JSON, read_boxes, judge_boxes),
    Target("results for COCO's server", results_seeds, 'x.json', JSON, read_results,
           judge_results),
    Target('pipeline.json', pipeline_seeds, 'pipeline.json', JSON, read_pipeline,
           judge_pipeline),
    Target('training log', log_seeds, 'scalars.json', TEXT, read_rows, judge_log),
]  # fmt: skip
