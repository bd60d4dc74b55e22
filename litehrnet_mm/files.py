"""Files of a user: opened if they are regular ones, read to a limit, written whole."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

from litehrnet_mm.cli import UserError, make_folder
from litehrnet_mm.writing import written_whole

MOST_BYTES = 2 << 30
"""Of a file that is read as a whole: more than COCO's largest annotations have."""
MOST_MEMORY = 2 << 30
"""Of lists, objects and texts that JSON is decoded to; COCO's annotations take half of
it."""
TAKEN = {b'[': 110, b'{': 240, b'"': 120}
"""Bytes that each of these stands for at most, by measure, in a file that has little
else. Numbers take some ten times their letters and are left out: files of COCO, of
hundreds of megabytes, consist of them."""
TEXT, NEW_KEY, KEY = 110, 240, 60
"""Bytes that a text takes at most, a key when it is first met, and one met before, of
which there is only the place in its object: most keys are the same in each object."""
TEXTS = re.compile(rb'"([^"]*)"?(\s*:)?')
ESCAPES = {rb'\\': b'\0\0', rb'\"': b'\0\1'}
"""What stands for them, one after the other, in a search for where texts end: what no
text may have."""

UTF_8_MARK, UTF_16_MARKS = b'\xef\xbb\xbf', (b'\xff\xfe', b'\xfe\xff')


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Open a regular file to read.

    Pipes would keep the reader waiting, and devices have no end.

    Raises:
        OSError: If it cannot be opened, or is something else.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, 'it is a device or pipe, no file', str(path))
    return open(path, 'rb')


def read_regular(path: str | os.PathLike, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        OSError: If it cannot be read, is something else, or larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            limit = f'{most >> 30} GB' if most >> 30 else f'{most >> 20} MB'
            raise OSError(errno.EFBIG, f'it is larger than {limit}', str(path))
        return file.read(size)


def as_text(content: bytes) -> str:
    """Decode plain UTF-8, which all readers of this project take.

    Raises:
        ValueError: If it is something else, with what and the way out; to be said
            behind the file's name.
    """
    if content.startswith(UTF_8_MARK):
        raise ValueError(
            'begins with a byte order mark (BOM): save it as UTF-8 without one'
        )
    if content.startswith(UTF_16_MARKS) or b'\0' in content[:4]:
        raise ValueError('is in UTF-16 or UTF-32, or no text: save it as UTF-8')
    try:
        return content.decode('utf-8')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'is no text in UTF-8, at byte {error.start}: if it is in another '
            'encoding, save it as UTF-8'
        ) from error


def check_memory(content: bytes) -> None:
    """Refuse JSON that would take more than :data:`MOST_MEMORY` once it is decoded.

    Raises:
        ValueError: If it might; to be said behind the file's name.
    """
    needed = sum(size * content.count(sign) for sign, size in TAKEN.items())
    if needed > MOST_MEMORY and _is_too_much(content):
        raise ValueError(
            'has so many lists, objects and texts that they may take more than '
            f'{MOST_MEMORY >> 30} GB of memory: split it into several files'
        )


def _is_too_much(content: bytes) -> bool:
    """Whether that holds with each text looked at, some seconds for millions."""
    needed = sum(TAKEN[sign] * content.count(sign) for sign in (b'[', b'{'))
    for escape, stand_in in ESCAPES.items():
        content = content.replace(escape, stand_in)
    known: set[bytes] = set()
    for found in TEXTS.finditer(content):
        if needed > MOST_MEMORY:
            break
        if found[2] is None:
            needed += TEXT
        elif found[1] in known:
            needed += KEY
        else:
            needed += NEW_KEY
            known.add(found[1])
    return needed > MOST_MEMORY


def as_json(content: bytes) -> Any:
    """Decode JSON in plain UTF-8.

    Raises:
        ValueError: If it is none, or too much; to be said behind the file's name.
    """
    check_memory(content)
    text = as_text(content)
    collects = gc.isenabled()
    gc.disable()  # it would look at all lists over and over, and find nothing
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError('is nested too deep') from error
    except ValueError as error:
        raise ValueError(f'is not valid JSON: {error}') from error
    finally:
        if collects:
            gc.enable()


def write_whole(path: Path, data: bytes, synced: bool = True) -> None:
    """Write a file that has its name only once it is complete; make its folder.

    What is there and is no regular file, such as ``/dev/stdout``, is written to as it
    is.

    Args:
        path: The file.
        data: Its content.
        synced: As of :func:`~litehrnet_mm.writing.written_whole`.

    Raises:
        UserError: If the folder cannot be written to, or the disk is full.
    """
    make_folder(path.parent)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        with written_whole(path, synced=synced) as part:
            part.write_bytes(data)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
