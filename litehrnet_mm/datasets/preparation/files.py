"""What all preparation shares: label maps, archives, processes."""

from __future__ import annotations

import io
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Callable, TypeVar

import numpy as np
from PIL import Image

from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.datasets.parallel import mapper
from litehrnet_mm.decoding import check_scans, open_picture
from litehrnet_mm.files import open_regular, write_whole
from litehrnet_mm.values import shown

T = TypeVar('T')
R = TypeVar('R')

MAX_ENTRY = 64 << 20
MOST_PIXELS = 1 << 25
"""Of an image: a frame of 8K has 33,177,600."""
# A process takes seconds to start, so it is worth it for this many files or more.
SHARE = 64

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for files that are no images, or damaged or hostile ones."""

DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
DAMAGED += (EOFError, RuntimeError, OSError, ValueError)
"""What ``zipfile`` raises for archives that are cut, damaged or encrypted."""


def read_ids(source: Path | BinaryIO) -> np.ndarray:
    """Read a label map: the class number of each pixel.

    Returns:
        An array (H, W) of ``uint8``.

    Raises:
        ValueError: If it cannot be read, or has more than one channel of 8 bits.
    """
    try:
        with _opened(source) as image:
            if image.mode not in ('L', 'P'):
                raise ValueError(f'has pixels of kind {image.mode}, not 8-bit numbers')
            return np.array(image)
    except UNREADABLE as error:
        raise ValueError(_reason(error)) from error


def read_rgb(source: Path | BinaryIO) -> np.ndarray:
    """Read an image as (H, W, 3) of ``uint8``, red first.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        with _opened(source) as image:
            return np.array(image.convert('RGB'))
    except UNREADABLE as error:
        raise ValueError(_reason(error)) from error


def image_size(path: Path) -> tuple[int, int]:
    """Width and height, from the file's head.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        with open_regular(path) as file, open_picture(file) as image:
            return image.size
    except UNREADABLE as error:
        raise ValueError(_reason(error)) from error


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """An image whose sums are right, if it has some, and no pixel is decoded yet."""
    file = open_regular(source) if isinstance(source, Path) else source
    with file:
        with open_picture(file) as image:
            check_pixels(*image.size)
            image.verify()  # of PNG; decoding does not look at sums
        file.seek(0)
        check_scans(file.read())
        file.seek(0)
        with open_picture(file) as image:
            yield image


def check_pixels(width: int, height: int) -> None:
    """Refuse to make pixels of what would take the memory.

    Raises:
        ValueError: If there are more than ``MOST_PIXELS``.
    """
    if width * height > MOST_PIXELS:
        raise ValueError(
            f'is {width}×{height} pixels, and more than {MOST_PIXELS / 1e6:.0f} M are '
            'no frame of a street: refused'
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return 'is missing'
    if isinstance(error, ValueError):
        return str(error)
    strerror = getattr(error, 'strerror', None)
    return f'cannot be read ({strerror or type(error).__name__})'


def is_label_map(path: Path, allowed: Sequence[int], size: tuple | None) -> bool:
    """Whether a whole label map of allowed numbers, and of that size, is there.

    Args:
        path: Where it would be.
        allowed: Every number that a pixel may have.
        size: Width and height, or ``None`` for any.
    """
    try:
        ids = read_ids(path)
    except ValueError:
        return False
    return size in (None, ids.shape[::-1]) and not len(others(ids, allowed))


def others(ids: np.ndarray, allowed: Sequence[int]) -> np.ndarray:
    """The numbers in a label map that are not allowed, in order."""
    counts = np.bincount(ids.ravel(), minlength=256)
    counts[list(allowed)] = 0
    return np.flatnonzero(counts)


def png(pixels: np.ndarray) -> bytes:
    """Encode an array (H, W) or (H, W, 3) of ``uint8`` as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format='PNG')
    return buffer.getvalue()


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip archive.

    Raises:
        UserError: If it is cut, or no zip archive.
    """
    try:
        return zipfile.ZipFile(open_regular(path))
    except DAMAGED as error:
        raise UserError(
            f'{path} is no whole zip archive ({shown(str(error), 200)}): download it '
            'again'
        ) from error


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read one file out of an archive, into memory.

    Raises:
        UserError: If it is damaged, encrypted, or far too large for what it should be.
    """
    where = f'{archive.filename}, {shown(name, 200)}'
    if archive.getinfo(name).file_size > MAX_ENTRY:
        raise UserError(f'{where} is larger than {MAX_ENTRY >> 20} MB: refused')
    try:
        return archive.read(name)
    except DAMAGED as error:
        raise UserError(
            f'{where} is damaged ({shown(str(error), 200)}): download it again'
        ) from error


def unpack(path: Path, root: Path, wanted: re.Pattern, progress: bool = False) -> int:
    """Unpack what is wanted of an archive and not there yet, in its full length.

    Args:
        path: The zip archive.
        root: Folder to unpack into.
        wanted: Matches the names, from the archive's root, of files to unpack.
        progress: Show a progress bar.

    Returns:
        How many files were written.

    Raises:
        UserError: If the archive is damaged, or a name in it leads out of ``root``.
    """
    written = 0
    with open_archive(path) as archive:
        entries = archive.infolist()
        for entry in entries:
            _check_name(path, entry.filename)
        found = [entry for entry in entries if wanted.fullmatch(entry.filename)]
        for entry in progress_bar(found, len(found), progress):
            target = root / entry.filename
            if not _has_length(target, entry.file_size):
                write_whole(target, read_entry(archive, entry.filename))
                written += 1
    return written


def _check_name(path: Path, name: str) -> None:
    if name.startswith('/') or '..' in PurePosixPath(name).parts or '\\' in name:
        raise UserError(
            f'{path} holds {shown(repr(name), 200)}, which leads out of the folder: '
            'not the official archive, nothing was unpacked'
        )


def _has_length(path: Path, length: int) -> bool:
    return os.path.isfile(path) and path.stat().st_size == length


def in_processes(
    work: Callable[[T], R],
    items: Sequence[T],
    jobs: int,
    progress: bool = False,
    title: str | None = None,
) -> Iterator[R]:
    """Yield ``work(item)`` of each item, in order, from several processes.

    Args:
        work: A function that can be pickled.
        items: What it is called with.
        jobs: At most this many processes; with few items fewer.
        progress: Show a progress bar.
        title: Before the bar.
    """
    jobs = max(1, min(jobs, -(-len(items) // SHARE)))
    with mapper(jobs) as run:
        yield from progress_bar(run(work, items), len(items), progress, title)
