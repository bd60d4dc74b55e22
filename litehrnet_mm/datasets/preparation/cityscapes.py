"""Cityscapes: unpacked, with label maps of the 19 classes that are evaluated.

Layout and file names: https://github.com/mcordts/cityscapesScripts (README).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation.files import (
    MAX_ENTRY,
    check_pixels,
    image_size,
    in_processes,
    is_label_map,
    others,
    png,
    read_ids,
    unpack,
)
from litehrnet_mm.datasets.preparation.splits import KEPT, NAMES, Split, first
from litehrnet_mm.files import as_json, read_regular, write_whole
from litehrnet_mm.values import are_numbers, is_id, shown

ARCHIVES = {
    'leftImg8bit': 'leftImg8bit_trainvaltest.zip',
    'gtFine': 'gtFine_trainvaltest.zip',
}
DOWNLOADS = 'https://www.cityscapes-dataset.com/downloads/'
OFFICIAL = {'train': 2975, 'val': 500, 'test': 1525}
LABELLED = ('train', 'val')  # the label maps of test show no more than the own car

# Drawing takes the longer the more lines cross a row, and the more pixels are filled:
# at these bounds, many times what a frame of Cityscapes has, about 4 and 2 s.
MOST_LINES = 50_000_000
MOST_FILLED = 6_000_000_000

IGNORED = 255
UNKNOWN = 254
TRAIN_IDS = (*range(19), IGNORED)
IMAGE = '_leftImg8bit.png'
POLYGONS = '_gtFine_polygons.json'
LABEL_IDS = '_gtFine_labelIds.png'
TRAIN_LABELS = '_gtFine_labelTrainIds.png'

# instanceIds are for the official evaluation of MMSegmentation's CityscapesMetric.
WANTED = re.compile(
    r'leftImg8bit/(train|val|test)/[^/]+/[^/]+_leftImg8bit\.png|gtFine/(train|val)/'
    r'[^/]+/[^/]+_gtFine_(polygons\.json|labelIds\.png|instanceIds\.png)'
)


@dataclass(frozen=True)
class Outcome:
    """What became of one frame: ``way`` says from what, ``fault`` why not."""

    split: str
    name: str
    way: str = ''
    fault: str = ''


@dataclass(frozen=True)
class Report:
    """What was done, and what is there now.

    Attributes:
        unpacked: Files written, by archive.
        ways: Label maps, by what they were made from.
        faults: One line for each label map that could not be made.
        splits: The frames that are there.
    """

    unpacked: dict[str, int]
    ways: dict[str, int]
    faults: list[str]
    splits: list[Split]

    @property
    def error(self) -> str | None:
        """Why this is no data set to train or test on, or ``None``."""
        if self.faults:
            return f'{len(self.faults)} label maps could not be made: {self.faults[0]}'
        if not any(split.usable for split in self.splits):
            return 'there is no image with annotations, and none of the test set'
        lone = {
            f'{split.name}/{frame}'
            for split in self.splits
            if split.labelled
            for frame in split.images - split.labels
        }
        if lone:
            return (
                f'{len(lone)} images have no annotations, where training would stop: '
                f'{first(lone, 1)}'
            )
        return None


def prepare_cityscapes(
    root: Path,
    jobs: int = 1,
    from_label_ids: bool = False,
    progress: bool = False,
) -> Report:
    """Unpack the archives in ``root`` and make ``*_gtFine_labelTrainIds.png``.

    What is there and whole stays as it is, so an interrupted run can be repeated.

    Args:
        root: Folder with the official archives, or with ``leftImg8bit/`` and
            ``gtFine/``.
        jobs: Number of processes. With more than one, a script that calls this needs
            the guard ``if __name__ == '__main__'``.
        from_label_ids: Map ``*_labelIds.png`` where there are polygons, too.
        progress: Show progress bars.

    Raises:
        UserError: If neither is there, an archive is damaged, or nothing can be
            written.
    """
    _check_root(root)
    table = train_ids()
    unpacked = {
        name: unpack(root / name, root, WANTED, progress)
        for name in ARCHIVES.values()
        if (root / name).is_file()
    }
    frames = [(split, name) for split in LABELLED for name in _annotated(root, split)]
    work = partial(make_label_map, root=root, prefer_ids=from_label_ids, table=table)
    outcomes = list(in_processes(work, frames, jobs, progress))
    return Report(
        unpacked=unpacked,
        ways=dict(Counter(x.way for x in outcomes if not x.fault)),
        faults=[x.fault for x in outcomes if x.fault],
        splits=[_split(root, name, outcomes) for name in NAMES],
    )


def _check_root(root: Path) -> None:
    for folder, archive in ARCHIVES.items():
        if (root / folder).is_dir() or (root / archive).is_file():
            continue
        nested = next((x for x in sorted(root.glob(f'*/{folder}')) if x.is_dir()), None)
        if nested:
            raise UserError(f'{root} has no {folder}/: move {nested} there')
        raise UserError(
            f'{root} has neither {folder}/ nor {archive}: get it from {DOWNLOADS}'
        )


def _names(root: Path, kind: str, split: str, suffix: str) -> set[str]:
    """Frames, as ``city/city_sequence_frame``, that have a file of this kind."""
    folder = root / kind / split
    found = folder.glob(f'*/*{suffix}')
    return {x.relative_to(folder).as_posix()[: -len(suffix)] for x in found}


def _annotated(root: Path, split: str) -> list[str]:
    kinds = (POLYGONS, LABEL_IDS, TRAIN_LABELS)
    return sorted(set().union(*(_names(root, 'gtFine', split, x) for x in kinds)))


def _split(root: Path, name: str, outcomes: Iterable[Outcome]) -> Split:
    return Split(
        name=name,
        images=frozenset(_names(root, 'leftImg8bit', name, IMAGE)),
        labels=frozenset(x.name for x in outcomes if x.split == name and not x.fault),
        official=OFFICIAL[name],
        labelled=name in LABELLED,
    )


def make_label_map(
    frame: tuple[str, str], root: Path, prefer_ids: bool, table: np.ndarray
) -> Outcome:
    """Make the label map of one frame, unless a whole one is there.

    Args:
        frame: The split, and ``city/city_sequence_frame``.
        root: The data set.
        prefer_ids: Map label ids where there are polygons, too, and replace what was
            drawn from these.
        table: The train id of each label id, from :func:`train_ids`.
    """
    split, name = frame
    image = root / 'leftImg8bit' / split / f'{name}{IMAGE}'
    polygons, ids, target = (
        root / 'gtFine' / split / f'{name}{suffix}'
        for suffix in (POLYGONS, LABEL_IDS, TRAIN_LABELS)
    )
    map_ids = ids.is_file() and (prefer_ids or not polygons.is_file())
    file = image
    try:
        size = image_size(image) if image.is_file() else None
        whole = is_label_map(target, TRAIN_IDS, size)
        if whole and not (prefer_ids and map_ids):
            return Outcome(split, name, KEPT)
        file = ids if map_ids else polygons
        labels = map_label_ids(ids, table) if map_ids else draw_polygons(polygons)
        if size not in (None, labels.shape[::-1]):
            raise ValueError(
                f'is {_times(labels.shape[::-1])} pixels, its image {_times(size)}'
            )
    except ValueError as error:
        return Outcome(split, name, fault=f'{file} {error}')
    if whole and np.array_equal(read_ids(target), labels):
        return Outcome(split, name, KEPT)
    write_whole(target, png(labels))
    return Outcome(split, name, 'from label ids' if map_ids else 'from polygons')


def _times(size: tuple[int, ...]) -> str:
    return '×'.join(map(str, size))


def train_ids() -> np.ndarray:
    """The train id of each label id, 254 for numbers that are no label id.

    Raises:
        UserError: If cityscapesscripts is not installed.
    """
    try:
        from cityscapesscripts.helpers.labels import labels
    except ImportError as error:
        raise UserError(
            f'cityscapesscripts cannot be imported ({error}): '
            'pip install --no-deps cityscapesscripts==1.2.0'
        ) from error
    table = np.full(256, UNKNOWN, np.uint8)
    for label in labels:
        if label.id >= 0:
            table[label.id] = label.trainId if label.trainId >= 0 else IGNORED
    return table


def map_label_ids(path: Path, table: np.ndarray) -> np.ndarray:
    """Read ``*_labelIds.png`` and return its train ids, (H, W).

    Raises:
        ValueError: If it cannot be read or has a number that is no label id.
    """
    ids = read_ids(path)
    unknown = others(ids, np.flatnonzero(table != UNKNOWN))
    if len(unknown):
        raise ValueError(f'has the value {unknown[0]}, which is no label id')
    return table[ids]


def check_polygons(content: Any) -> None:
    """Refuse polygons that are none, or would take more than seconds to draw.

    Args:
        content: Of ``*_polygons.json``.

    Raises:
        ValueError: With what is wrong, to be said behind the file's name.
        TypeError: If something is of another type than in Cityscapes.
        KeyError: If something is not there.
    """
    sides = width, height = content['imgWidth'], content['imgHeight']
    if not all(is_id(side) and side for side in sides):
        raise ValueError(f'is of {shown(width)}×{shown(height)} pixels')
    check_pixels(*sides)
    shapes, points = len(content['objects']), 0
    for shape in content['objects']:
        points += len(shape['polygon'])
        for point in shape['polygon']:
            if not are_numbers(point) or len(point) != 2:
                raise ValueError(f'has the point {shown(point)}, not x and y')
    if points * height > MOST_LINES or shapes * width * height > MOST_FILLED:
        raise ValueError(
            f'has {points} points in {shapes} polygons, far more than any frame of '
            'Cityscapes: refused'
        )


def draw_polygons(path: Path) -> np.ndarray:
    """Draw ``*_polygons.json`` as cityscapesscripts does; returns train ids, (H, W).

    Raises:
        ValueError: If it cannot be read or drawn.
    """
    from cityscapesscripts.helpers.annotation import Annotation
    from cityscapesscripts.helpers.labels import name2label
    from cityscapesscripts.preparation.json2labelImg import createLabelImage

    annotation = Annotation()
    try:
        content = read_regular(path, MAX_ENTRY)
        check_polygons(as_json(content))
        annotation.fromJsonText(content)
    except OSError as error:
        raise ValueError(f'cannot be read ({error.strerror})') from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'is no annotation of polygons ({error!r})') from error
    for label in {shape.label for shape in annotation.objects}:
        # What createLabelImage does not know ends the process.
        if label not in name2label and label.removesuffix('group') not in name2label:
            raise ValueError(
                f'has the label {shown(repr(label))}, which is none of Cityscapes'
            )
    try:
        with redirect_stdout(io.StringIO()):  # it prints what it raises
            return np.array(createLabelImage(annotation, 'trainIds'))
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f'has a polygon that cannot be drawn ({error})') from error
