"""Files that have their name only once they are complete; most also once on disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = '.part'
"""What a file's name ends in while it is written."""


@contextmanager
def written_whole(
    path: Path, part: Path | None = None, synced: bool = True
) -> Iterator[Path]:
    """Write a file under another name, and have it renamed at the end.

    Whatever goes wrong, a file that was there before stays as it was, and nothing of
    the new one is left.

    Args:
        path: The file.
        part: Its other name, in the same folder; if not given, a short one that no
            other process has.
        synced: Whether it has to outlast a loss of power, for which the disk is waited
            for.

    Yields:
        The other name, to be written to.

    Raises:
        OSError: If it cannot be written, as on a full disk.
    """
    part = part or path.with_name(f'.{secrets.token_hex(8)}{PART}')
    try:
        yield part
        if synced:
            bring_to_disk(part)
            give_name(part, path)
        else:
            os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def bring_to_disk(path: Path) -> None:
    """Have the content of a file outlast a loss of power.

    Raises:
        OSError: If the disk does not take it.
    """
    with path.open('rb+') as file:
        os.fsync(file.fileno())


def give_name(part: Path, path: Path) -> None:
    """Rename a file that is complete, and bring the name to the disk, too.

    The latter is left out where it cannot be, as on some network file systems: the file
    has its name by then.

    Raises:
        OSError: If it cannot be renamed.
    """
    os.replace(part, path)
    if os.name == 'posix':
        with suppress(OSError):
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
