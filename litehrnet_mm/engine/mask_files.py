"""What the files of masks are, without MMSegmentation: their size, depth and mode."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.decoding import open_picture, why
from litehrnet_mm.engine.preflight import named_paths
from litehrnet_mm.files import as_text, open_regular, read_regular
from litehrnet_mm.values import shown

TURNED = (5, 6, 7, 8)  # values of EXIF's orientation with width and height exchanged
EXIF_ORIENTATION = 0x0112
COLOUR_MODES = ('RGB', 'RGBA', 'LA', 'CMYK', 'YCbCr')


def check_list(dataset: Mapping[str, Any]) -> None:
    """Say what is wrong with a list of names that MMSegmentation could not read.

    Args:
        dataset: The part of a config that may name one.

    Raises:
        UserError: If it is no plain UTF-8.
    """
    for _, kind, path in named_paths(dataset, ''):
        if kind == 'ann_file' and os.path.isfile(path):
            try:
                as_text(read_regular(path))
            except OSError as error:
                raise UserError(f'list of names {path}: {error.strerror}') from error
            except ValueError as error:
                raise UserError(f'list of names {path} {error}') from error


def check_headers(frame: dict) -> tuple[int, int]:
    """Height and width that an image and its mask both have.

    Args:
        frame: MMSegmentation's facts of an image, with ``img_path`` and
            ``seg_map_path``.

    Raises:
        UserError: If either cannot be read, they differ, or the mask has colours or
            values beyond 8 bits.
    """
    (size, _), (mask_size, mode) = (
        _read_header(frame['img_path'], 'image'),
        _read_header(frame['seg_map_path'], 'mask'),
    )
    if mode in COLOUR_MODES:
        raise colour_fault(frame['seg_map_path'])
    if mode.startswith('I'):
        _check_deep(frame['seg_map_path'])
    if size != mask_size:
        raise size_fault(frame['seg_map_path'], mask_size, frame['img_path'], size)
    return size


def _read_header(path: str, kind: str) -> tuple[tuple[int, int], str]:
    """Height and width, and Pillow's mode, without decoding pixels."""
    try:
        with open_regular(path) as file, open_picture(file) as image:
            # Asking a PNG for EXIF decodes it; cameras write JPEG.
            exif = image.getexif() if image.format == 'JPEG' else {}
            turned = exif.get(EXIF_ORIENTATION) in TURNED
            width, height = image.size[::-1] if turned else image.size
            return (height, width), image.mode
    except FileNotFoundError as error:
        raise UserError(f'{kind} not found: {path}') from error
    except Exception as error:  # decoders have their own
        raise unreadable_fault(kind, path, _reason(error)) from error


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or why(error)


def check_sums(path: str) -> None:
    """Check the sums in a mask of PNG, which Pillow does not look at when it decodes.

    Raises:
        UserError: If one is wrong.
    """
    try:
        with open_regular(path) as file, open_picture(file) as image:
            image.verify()
    except FileNotFoundError:
        raise
    except Exception as error:  # decoders have their own
        raise unreadable_fault('mask', path, _reason(error)) from error


def _check_deep(path: str) -> None:
    """Check a mask of more than 8 bits, of which MMSegmentation keeps the lowest 8."""
    try:
        with open_picture(path) as image:
            highest = int(np.asarray(image).max())
    except Exception as error:  # decoders have their own
        raise unreadable_fault('mask', path, why(error)) from error
    if highest > 255:
        raise UserError(
            f'mask {path} has the value {highest}, and MMSegmentation reads 8 bits: '
            'up to 255',
            'mask-depth',
        )


def unreadable_fault(kind: str, path: str, reason: str) -> UserError:
    """That an image or a mask, as ``kind`` says, cannot be read."""
    return UserError(
        f'{kind} cannot be read: {path} ({shown(reason, 200)})', f'{kind}-unreadable'
    )


def not_found_fault(mask: str, image: str, more: str = '') -> UserError:
    """That there is no mask of an image, and what makes it if that is known."""
    hint = ''
    if mask.endswith('_gtFine_labelTrainIds.png'):
        hint = '; tools/prepare_cityscapes.py makes it'
    text = f'mask not found: {mask}, of the image {image}{hint}{more}'
    return UserError(text, 'mask-missing')


def colour_fault(mask: str) -> UserError:
    """That a mask is a picture in colours."""
    return UserError(
        f'mask {mask} is a colour picture; a mask has one channel, with the number of '
        'the class in each pixel',
        'mask-colour',
    )


def size_fault(
    mask: str, size: Sequence[int], image: str, wanted: Sequence[int]
) -> UserError:
    """That a mask has another size (height, width) than its image."""
    return UserError(
        f'mask {mask} is {size[1]}x{size[0]} pixels, but its image {image} '
        f'{wanted[1]}x{wanted[0]} (width x height)',
        'mask-size',
    )
