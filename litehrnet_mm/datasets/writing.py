"""Writes a set of synthetic people as COCO: images and ``person_keypoints.json``."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Callable

from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.datasets.parallel import mapper
from litehrnet_mm.datasets.people import render_people
from litehrnet_mm.datasets.skeleton import KEYPOINTS, SKELETON
from litehrnet_mm.files import write_whole
from litehrnet_mm.visualization import write_image

JPEG_QUALITY = 92
IMAGES = 'images'
ANNOTATIONS = 'annotations/person_keypoints.json'
MAX_PERSONS = 99
MAX_SIDE = 4096

CATEGORY = {
    'id': 1,
    'name': 'person',
    'supercategory': 'person',
    'keypoints': list(KEYPOINTS),
    'skeleton': [list(link) for link in SKELETON],
}
"""COCO's category of persons."""

Sample = tuple[dict, list[dict]]
"""COCO's record of an image, and its annotations."""


def make_people(
    out: str | os.PathLike,
    images: int,
    seed: int = 0,
    *,
    size: tuple[int, int] = (320, 256),
    persons: tuple[int, int] = (1, 4),
    workers: int = 1,
    first_id: int = 1,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write a set of synthetic people.

    ``out`` gets ``images/000000000001.jpg`` and so on, and, last of all and in one
    step, ``annotations/person_keypoints.json``: without that file a set is not
    finished. The same seed gives the same bytes, and picture ``k`` does not depend on
    ``images`` or ``workers``.

    Args:
        out: Directory, which must be empty or not exist.
        images: Number of images.
        seed: Number of the set; use different ones for training and validation.
        size: Width and height of an image in pixels, 64 to 4096 each.
        persons: Least and greatest number of persons in an image.
        workers: Number of processes. With more than one, a script that calls this
            needs the guard ``if __name__ == '__main__'``.
        first_id: Id of the first image. Ids of annotations are 100 times that of
            their image, plus the number of the person.
        overwrite: Replace a set that was written there before; other files stay.
        progress: Show a progress bar.

    Returns:
        Path of the annotation file.

    Raises:
        UserError: A value is out of range, or ``out`` has something in it.
    """
    _check(images, seed, size, persons, workers, first_id)
    out = Path(out)
    _prepare(out, overwrite)
    render = partial(
        _write_sample, out=out, seed=seed, size=size, persons=persons, first_id=first_id
    )
    records, people = _render_all(render, images, workers, progress)
    return _write_json(out / ANNOTATIONS, _content(seed, records, people))


def _content(seed: int, records: list, people: list) -> dict:
    return {
        'info': {'description': 'synthetic people', 'version': '1.0', 'seed': seed},
        'licenses': [],
        'images': records,
        'annotations': people,
        'categories': [CATEGORY],
    }


def _render_all(
    render: Callable[[int], Sample], images: int, workers: int, progress: bool
) -> tuple[list[dict], list[dict]]:
    """Write all images; returns their COCO records and all annotations, in order."""
    records: list[dict] = []
    people: list[dict] = []
    with mapper(workers) as run:
        results = run(render, range(images))
        for record, found in progress_bar(results, images, progress):
            records.append(record)
            people.extend(found)
    return records, people


def _write_sample(
    index: int,
    out: Path,
    seed: int,
    size: tuple[int, int],
    persons: tuple[int, int],
    first_id: int,
) -> Sample:
    """Write one image; returns its COCO record and its annotations."""
    image, people = render_people(seed, index, size, persons)
    image_id = first_id + index
    name = f'{image_id:012d}.jpg'
    path = out / IMAGES / name
    write_image(path, image, JPEG_QUALITY)
    for number, person in enumerate(people, 1):
        person['id'] = 100 * image_id + number
        person['image_id'] = image_id
    record = {'id': image_id, 'file_name': name, 'width': size[0], 'height': size[1]}
    return record, people


def _check(
    images: int,
    seed: int,
    size: tuple[int, int],
    persons: tuple[int, int],
    workers: int,
    first_id: int,
) -> None:
    least, most = persons
    for wrong, message in (
        (images < 1, f'images must be at least 1, not {images}'),
        (seed < 0, f'seed must not be negative, not {seed}'),
        (
            not 64 <= min(size) <= max(size) <= MAX_SIDE,
            f'width and height must be 64 to {MAX_SIDE}, not {size}',
        ),
        (
            not 0 <= least <= most <= MAX_PERSONS,
            f'persons must be 0 <= MIN <= MAX <= {MAX_PERSONS}, not {least} {most}',
        ),
        (workers < 1, f'workers must be at least 1, not {workers}'),
        (first_id < 1, f'first id must be at least 1, not {first_id}'),
    ):
        if wrong:
            raise UserError(message)


def _prepare(out: Path, overwrite: bool) -> None:
    """Create the directories; with ``overwrite`` remove an earlier set."""
    if out.exists() and not out.is_dir():
        raise UserError(f'{out} is a file: name a directory')
    if out.exists() and any(out.iterdir()) and not overwrite:
        raise UserError(
            f'{out} is not empty: name a new directory, or give --overwrite to '
            'replace the set in it'
        )
    try:
        (out / ANNOTATIONS).parent.mkdir(parents=True, exist_ok=True)
        (out / IMAGES).mkdir(exist_ok=True)
        (out / ANNOTATIONS).unlink(missing_ok=True)
        for path in (out / IMAGES).glob('[0-9]' * 12 + '.jpg'):
            path.unlink()
    except OSError as error:
        raise UserError(f'cannot write to {out}: {error.strerror}') from error


def _write_json(path: Path, content: dict) -> Path:
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    write_whole(path, text.encode())
    return path
