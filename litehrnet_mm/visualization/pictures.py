"""Pictures as files, with text, and side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from mmengine import fileio
from PIL import Image, ImageDraw, ImageFont

from litehrnet_mm.cli import PictureError, UserError
from litehrnet_mm.decoding import MOST_BYTES, KindError, decode, silent, why
from litehrnet_mm.files import read_regular, write_whole
from litehrnet_mm.values import shown

PAPER, INK = (255, 255, 255), (40, 40, 40)
"""Colours of captions, BGR."""

CAPTION_HEIGHT = 26
"""Of a strip with a line of text, in pixels."""

GAP = 4
"""Columns between pictures side by side."""


def make_grid(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Join pictures of one size, row by row, with a white line between them.

    Args:
        tiles: BGR uint8, each of shape (H, W, 3), at least one. What they leave of
            the last row stays white.
        columns: Pictures side by side.
    """
    blank = np.full_like(tiles[0], 255)
    filled = [*tiles, *[blank] * (-len(tiles) % columns)]
    framed = [cv2.copyMakeBorder(t, 2, 2, 2, 2, 0, value=PAPER) for t in filled]
    rows = range(0, len(framed), columns)
    return np.vstack([np.hstack(framed[k : k + columns]) for k in rows])


def join(*pictures: np.ndarray) -> np.ndarray:
    """Pictures side by side with a gap between them, white below the lower ones."""
    height = max(map(len, pictures))
    gap = np.full((height, GAP, 3), PAPER, np.uint8)
    parts = [gap]
    for picture in pictures:
        parts += [pad(picture, (picture.shape[1], height)), gap]
    return np.hstack(parts[1:-1])


def pad(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture with white on its right and below, to this width and height."""
    below, right = size[1] - len(picture), size[0] - picture.shape[1]
    return cv2.copyMakeBorder(picture, 0, below, 0, right, 0, value=PAPER)


def fit_into(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Enlarge or reduce an image to fit into a width and height.

    Returns:
        The new image, and by how much it was enlarged.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, shape, interpolation=method), scale


def add_caption(image: np.ndarray, text: str) -> np.ndarray:
    """Put a line of text above a picture.

    Args:
        image: BGR uint8, shape (H, W, 3).
        text: Its middle is left out where the picture is too narrow for it.

    Returns:
        The picture below a strip of ``CAPTION_HEIGHT`` rows.
    """
    width, margin = image.shape[1], 6
    strip = Image.new('RGB', (width, CAPTION_HEIGHT), PAPER[::-1])
    text = shorten(text, width - 2 * margin)
    place = (margin, CAPTION_HEIGHT // 2)
    ImageDraw.Draw(strip).text(place, text, INK[::-1], font(), anchor='lm')
    return np.vstack([np.array(strip)[..., ::-1], image])


@lru_cache(maxsize=1)
def font() -> ImageFont.FreeTypeFont:
    """The font of captions and legends."""
    # Matplotlib brings a font that has most of the world's letters.
    return ImageFont.truetype(
        os.path.join(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'), 14
    )


def shorten(text: str, width: int) -> str:
    """A text that is at most so many pixels wide; its middle is left out for that."""
    kept = len(text)
    short = text
    while kept > 2 and font().getlength(short) > width:
        kept -= 1
        short = f'{text[: kept - kept // 2]}…{text[-(kept // 2) :]}'
    return short


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read a picture as BGR uint8, of shape (H, W, 3), from any place MMEngine knows.

    Args:
        path: Of the picture, or its address.

    Raises:
        UserError: If there is none, or it cannot be read.
    """
    try:
        content = _content(str(path))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f'image {path} cannot be read: {reason}') from error
    try:
        return decode(content)[0]
    except KindError as error:
        raise UserError(f'image {path} cannot be read: {error}') from error
    except Exception as error:  # decoders have their own
        raise UserError(
            f'image {path} cannot be read: it is no picture or damaged '
            f'({shown(why(error), 200)})'
        ) from error


def _content(path: str) -> bytes:
    remote = '://' in path
    return fileio.get(path) if remote else read_regular(path, MOST_BYTES)


def write_image(path: str | os.PathLike, image: np.ndarray, quality: int = 90) -> None:
    """Write a picture, making its folder if need be.

    Args:
        path: A file whose ending names the format.
        image: BGR uint8, shape (H, W, 3), or one channel, (H, W).
        quality: Of a JPEG, up to 100.

    Raises:
        PictureError: If the format cannot hold the picture.
        UserError: If the file cannot be written, or its ending names no format.
    """
    path = Path(path)
    if not _is_known(path.suffix):
        raise UserError(
            f'cannot write {path}: OpenCV here writes no pictures of this ending, but '
            '.jpg and .png'
        )
    content = _encode(path.suffix, image, quality)
    if content is None:
        raise PictureError(
            f'cannot write {path}: {"x".join(map(str, image.shape[1::-1]))} pixels are '
            f'no picture that {path.suffix} can hold'
        )
    write_whole(path, content, synced=False)  # there may be thousands


def _is_known(suffix: str) -> bool:
    # OpenCV crashes where a text is no UTF-8, and raises where a codec is switched off.
    with suppress(cv2.error), silent():
        return suffix.isascii() and cv2.haveImageWriter(f'x{suffix}')
    return False


def _encode(suffix: str, image: np.ndarray, quality: int) -> bytes | None:
    """A picture as a file's content, if the format can hold it."""
    options = (cv2.IMWRITE_JPEG_QUALITY, quality)
    with suppress(cv2.error), silent():
        done, content = cv2.imencode(suffix, image, options)
        return content.tobytes() if done else None
    return None
