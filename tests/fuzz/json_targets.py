"""Readers of what else is JSON here: boxes, results, a detector's pipeline, logs."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from coco_targets import annotations, content_of, numbers, whole
from isolation import Files, Input
from mutations import JSON, TEXT
from target import Target

from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.checking.coco_file import read_json
from litehrnet_mm.cli import UserError
from litehrnet_mm.evaluation.coco_submission import check_results
from litehrnet_mm.prediction.boxes import FileBoxes
from litehrnet_mm.prediction.onnx_detector import Preparation


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
    Target('boxes', boxes_seeds, 'x.json', JSON, read_boxes, judge_boxes),
    Target("results for COCO's server", results_seeds, 'x.json', JSON, read_results,
           judge_results),
    Target('pipeline.json', pipeline_seeds, 'pipeline.json', JSON, read_pipeline,
           judge_pipeline),
    Target('training log', log_seeds, 'scalars.json', TEXT, read_rows, judge_log),
]  # fmt: skip
