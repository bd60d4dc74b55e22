"""Where images come from."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

import cv2
import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.files import open_regular
from litehrnet_mm.values import shown
from litehrnet_mm.visualization.pictures import read_image

PICTURES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
FILMS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v')
CONTAINERS = re.compile(
    rb'.{4}(ftyp|moov|mdat|free|skip|wide|pnot|uuid)|RIFF.{4}AVI |\x1aE\xdf\xa3',
    re.DOTALL,
)
"""What the films that are read begin with: MP4 and MOV, AVI, MKV and WebM."""
MOST_PIXELS = 1 << 26
"""Of an image of a film: 8192 squared, twice what films of 8K have."""
CAMERA_DIGITS = 9
"""Of a camera's number at most: OpenCV takes 32 bits."""
UNKNOWN_RATE = 25.0
"""Images a second of a film or camera that does not tell."""


@dataclass(frozen=True)
class Frame:
    """An image to predict on.

    Attributes:
        name: Of the file it is from; of a film with the number of the image.
        image: BGR uint8, ``(H, W, 3)``.
        index: Its number in the film, from 0; of a picture 0.
    """

    name: str
    image: np.ndarray
    index: int = 0


@dataclass(frozen=True)
class Pictures:
    """Files, each a picture.

    Attributes:
        paths: The files.
        root: The folder that names are relative to.
        damaged: What was said of pictures that could not be read.
    """

    paths: tuple[Path, ...]
    root: Path
    damaged: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many images there are."""
        return len(self.paths)

    @property
    def names(self) -> list[str]:
        """What the images are called."""
        return [path.relative_to(self.root).as_posix() for path in self.paths]

    def results(self) -> Iterator[tuple[str, str]]:
        """What results are called, and where each is from."""
        for path, name in zip(self.paths, self.names):
            yield f'pictures/{Path(name).with_suffix("").as_posix()}', str(path)

    def __iter__(self) -> Iterator[Frame]:
        """Read one after the other; what cannot be read is noted and passed over."""
        for path, name in zip(self.paths, self.names):
            try:
                image = read_image(path)
            except UserError as error:
                self.damaged.append(str(error))
            else:
                yield Frame(name, image)


@dataclass(frozen=True)
class Film:
    """A film, or a camera.

    Attributes:
        source: The file, or the number of the camera.
        name: What results are called.
        rate: Images a second.
        total: How many images there are, if it is known.
    """

    source: str | int
    name: str
    rate: float
    total: int | None

    @classmethod
    def open(cls, source: str | int) -> Film:
        """Ask a file or camera what it has.

        Raises:
            UserError: If it cannot be opened, or shows nothing or images that are too
                large.
        """
        if isinstance(source, str):
            check_name(source)
            _check_film(source)
        capture = cv2.VideoCapture(source)
        _check_size(source, capture)
        seen, _ = capture.read()
        rate = capture.get(cv2.CAP_PROP_FPS)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if not seen:
            if isinstance(source, int):
                raise UserError(f'no camera with the number {source}')
            raise UserError(f'video {source} cannot be read: it is none, or damaged')
        name = f'camera{source}' if isinstance(source, int) else Path(source).stem
        rate = rate if 0 < rate < 1000 else UNKNOWN_RATE
        return cls(source, name, rate, count if count > 0 else None)

    def results(self) -> Iterator[tuple[str, str]]:
        """What the result is called, and where it is from."""
        yield self.name, str(self.source)

    def __iter__(self) -> Iterator[Frame]:
        """Read to the end."""
        capture = cv2.VideoCapture(self.source)
        try:
            index = 0
            while True:
                there, image = capture.read()
                if not there:
                    return
                yield Frame(f'{self.name}_{index:06}', image, index)
                index += 1
        finally:
            capture.release()


def check_name(path: str | os.PathLike) -> None:
    """Refuse a film's name with which OpenCV would crash, to read or to write it.

    Raises:
        UserError: If it is no UTF-8.
    """
    try:
        os.fspath(path).encode('utf-8')
    except UnicodeEncodeError as error:
        raise UserError(
            f'video {path}: a film needs a path in UTF-8: rename it'
        ) from error


def _check_film(path: str) -> None:
    """Refuse what FFmpeg takes for a film, but would open other files or addresses for.

    It goes by the content: a list of films or a playlist is text.

    Raises:
        UserError: If it is none of the kinds in ``CONTAINERS``.
    """
    try:
        with open_regular(path) as file:
            start = file.read(16)
    except OSError as error:
        raise UserError(f'video {path} cannot be read: {error.strerror}') from error
    if not CONTAINERS.match(start):
        raise UserError(
            f'video {path} cannot be read: it is none, or damaged, or of another kind '
            'than MP4, MOV, AVI, MKV and WebM'
        )


def _check_size(source: str | int, capture: cv2.VideoCapture) -> None:
    """Refuse a film of images that would take gigabytes, before one is decoded.

    Raises:
        UserError: If they have more than :data:`MOST_PIXELS`.
    """
    sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    width, height = (int(capture.get(side)) for side in sides)
    if width * height > MOST_PIXELS:
        capture.release()
        raise UserError(
            f'video {source} is of {width}x{height} pixels, more than '
            f'{MOST_PIXELS / 1e6:.0f} M: make it smaller'
        )


Source = Union[Pictures, Film]


def open_sources(inputs: Sequence[str]) -> list[Source]:
    """Find what a user named.

    Args:
        inputs: Pictures, folders of pictures, patterns, films, numbers of cameras.

    Returns:
        A source for the pictures of each, and one for each film.

    Raises:
        UserError: If something is not there, is neither picture nor film, or two would
            give results of one name.
    """
    sources = [source for text in inputs for source in _open(text)]
    seen: dict[str, str] = {}
    for source in sources:
        for name, origin in source.results():
            if name in seen:
                raise UserError(
                    f'{seen[name]} and {origin} would have results of one name, '
                    f'{name}: predict on one after the other, with an --out for each'
                )
            seen[name] = origin
    return sources


def _open(text: str) -> list[Source]:
    path = Path(text)
    if text.isdecimal() and not os.path.exists(path):
        if len(text) > CAMERA_DIGITS:
            raise UserError(f'no camera with the number {shown(text)}')
        return [Film.open(int(text))]
    if os.path.isdir(path):
        found = [p for p in sorted(path.rglob('*')) if p.suffix.lower() in PICTURES]
        if not found:
            raise UserError(f'no pictures ({", ".join(PICTURES)}) in {path}')
        return [Pictures(tuple(found), path)]
    if os.path.lexists(path):
        return _sort_out([path], path.parent)
    matches = [Path(p) for p in sorted(glob.glob(text, recursive=True))]
    sources = _sort_out(
        [p for p in matches if p.suffix.lower() in (*PICTURES, *FILMS)],
        Path(os.path.commonpath([p.parent for p in matches])) if matches else path,
    )
    if not sources:
        raise UserError(f'no such picture, folder or film: {text}')
    return sources


def _sort_out(paths: Sequence[Path], root: Path) -> list[Source]:
    """The pictures among some files, and its films."""
    films = [p for p in paths if p.suffix.lower() in FILMS]
    pictures = tuple(p for p in paths if p not in films)
    sources: list[Source] = [Pictures(pictures, root)] if pictures else []
    return sources + [Film.open(str(p)) for p in films]
