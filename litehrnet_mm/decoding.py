"""Pictures of any kind, decoded to their end or not at all."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

MOST_BYTES = 600 << 20
"""Of a picture's file: what 179 M pixels take that are not packed at all."""

FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
"""Those that Pillow may open. It goes by the content, and would run Ghostscript on what
is PostScript, whatever the file is called. JPEG 2000 takes minutes and gigabytes, and
PPM is read in Python."""

MOST_SCANS = 64
"""Of a JPEG: programs write ten or twenty. Each goes through all of its pixels."""
JPEG, SCAN, END = b'\xff\xd8\xff', b'\xff\xda', b'\xff\xd9'
SEGMENT = re.compile(rb'\xff[\xc0-\xcf\xd9-\xfe]')
"""What begins with one of these in a JPEG tells its length."""

TILE_SIDES = 322, 323
"""Tags of TIFF."""
MOST_OF_TILE = 1 << 24
"""Pixels by which a tile of a TIFF may be larger than the image: 4096 squared."""

SILENT = 0
"""OpenCV's level of logging nothing."""


class KindError(ValueError):
    """Why a picture is not read that may well be sound, and what to do."""


@contextmanager
def open_picture(source: str | Path | BinaryIO) -> Iterator[Image.Image]:
    """Have Pillow open a picture, with no pixel decoded yet.

    Args:
        source: A path, or an open file.

    Raises:
        KindError: If it would take far more memory than its pixels.
        Exception: Of many kinds, Pillow's: if that cannot open it.
    """
    with Image.open(source, formats=FORMATS) as image:
        if image.format == 'TIFF':
            _check_tiles(image)
        yield image


def _check_tiles(image: Image.Image) -> None:
    sides = [image.tag_v2.get(tag, 0) for tag in TILE_SIDES]
    most = image.width * image.height + MOST_OF_TILE
    if not all(isinstance(x, int) for x in sides) or sides[0] * sides[1] > most:
        raise KindError(
            'it is a TIFF of a few pixels in far larger tiles; save it as PNG'
        )


def check_scans(content: bytes) -> None:
    """Refuse a JPEG that takes far longer than others of its size.

    Args:
        content: Of any file.

    Raises:
        KindError: If it is a JPEG of more than :data:`MOST_SCANS`.
    """
    # There are more where a film or another picture follows, as of telephones.
    if content.startswith(JPEG) and content.count(SCAN) > MOST_SCANS < _scans(content):
        raise KindError(
            f'it is a JPEG of more than {MOST_SCANS} scans, which no camera writes; '
            'save it anew'
        )


def _scans(content: bytes) -> int:
    """Scans of a JPEG up to its end."""
    scans = position = 0
    while found := SEGMENT.search(content, position):
        if found[0] == END:
            break
        scans += found[0] == SCAN
        length = int.from_bytes(content[found.end() : found.end() + 2], 'big')
        position = found.end() + max(length, 2)
    return scans


def decode(content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a picture.

    OpenCV, which training reads with, may return a grey rest for a file that was cut
    off, and takes memory for whatever size a file claims; Pillow does neither, but
    does not look at all sums. So both have to read it.

    Args:
        content: Of a file.

    Returns:
        BGR uint8, ``(H, W, 3)``, turned by EXIF; width and height as stored.

    Raises:
        KindError: If it takes too much, or OpenCV reads none of its kind.
        ValueError: If OpenCV cannot read it.
        Exception: Of many kinds, Pillow's: if that cannot, or it has more than 179 M
            pixels.
    """
    check_scans(content)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of large images and odd metadata
        with open_picture(io.BytesIO(content)) as image:
            image.load()
            stored, kind = image.size, (image.format, image.mode)
    with silent():
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is not None:
        return pixels, stored
    if kind[0] == 'GIF' or kind in (('TIFF', 'F'), ('TIFF', 'I')):
        bits = '' if kind[0] == 'GIF' else ' of 32 bits'
        raise KindError(f'it is a {kind[0]}{bits}, which is not read; save it as PNG')
    raise ValueError('OpenCV cannot read it')


@contextmanager
def silent() -> Iterator[None]:
    """Keep OpenCV from telling, in lines of its own, why it cannot read or write."""
    level = cv2.setLogLevel(SILENT)
    try:
        yield
    finally:
        cv2.setLogLevel(level)


def why(error: Exception) -> str:
    """The reason in what :func:`decode` raised, in a few words."""
    lines = str(error).strip().splitlines()
    # Pillow names the place in memory of what is no image.
    if lines and lines[0].startswith('cannot identify'):
        return f'none of {", ".join(FORMATS)}'
    return lines[0][:200] if lines else type(error).__name__
