"""COCO's annotation files, and values in them, which may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litehrnet_mm.cli import UserError
from litehrnet_mm.files import MOST_BYTES, as_json, read_regular

LIMITS = {'pipeline': 16 << 20, 'record': 16 << 20}
"""Bytes that files of these kinds may have; they have thousands."""


def read_json(path: Path, kind: str = 'annotation file') -> Any:
    """Read an annotation file, or another of JSON.

    Args:
        path: The file.
        kind: What it is to the user.

    Raises:
        UserError: If it cannot be read, is no JSON in plain UTF-8, or too large.
    """
    try:
        return as_json(read_regular(path, LIMITS.get(kind, MOST_BYTES)))
    except OSError as error:
        raise UserError(f'{kind} {path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{kind} {path} {error}') from error


def read_coco(path: Path) -> dict[str, Any]:
    """Read an annotation file that has the lists of COCO's format.

    Raises:
        UserError: If it cannot be read, or a list is not there or something else.
    """
    content = read_json(path)
    check_coco(path, content)
    return content


def check_coco(path: Path, content: Any) -> None:
    """Refuse what was read if it has not the lists of COCO's format.

    Args:
        path: The file, for messages; its name tells whether it needs annotations.
        content: Its JSON.

    Raises:
        UserError: If a list is not there or something else.
    """
    needed = ('images', 'categories')
    # The image_info files of test sets have no annotations, and need none.
    if not path.name.startswith('image_info'):
        needed += ('annotations',)
    wrong = f"annotation file {path} is not in COCO's format: "
    if not isinstance(content, dict):
        raise UserError(
            f'{wrong}it is a {type(content).__name__} where an object is expected, '
            f'with {", ".join(needed)}'
        )
    for key in needed:
        if key not in content:
            raise UserError(f"{wrong}it has no '{key}'")
    for key in ('images', 'categories', 'annotations'):
        if not isinstance(content.get(key, []), list):
            found = type(content[key]).__name__
            raise UserError(f"{wrong}its '{key}' is no list ({found})")
