"""Files that are there whole or not at all, and finding the newest whole checkpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from litehrnet_mm.checkpoints.archives import check_archive
from litehrnet_mm.checkpoints.pickles import HarmfulError

PART = '.part'
"""What a file's name ends in while it is written."""
LAST = 'last_checkpoint'
"""The file of a work folder in which MMEngine names its newest checkpoint."""
NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, to the disk, and then give it its name.

    Whatever ends the process meanwhile, a file that was there before stays as it was.

    Raises:
        OSError: If it cannot be written, as on a full disk; nothing of it is left.
    """
    part = path.with_name(path.name + PART)
    try:
        with part.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    if os.name == 'posix':  # the new name is on the disk, too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class WholeFiles(LocalBackend):
    """MMEngine's local files, written by :func:`write_whole`."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write a file; arguments as MMEngine's."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, obj)


BACKEND = 'litehrnet_mm_whole_files'
register_backend(BACKEND, WholeFiles, force=True)


def is_whole(path: Path) -> bool:
    """Whether a file is a PyTorch checkpoint in which no byte is lost or changed."""
    try:
        check_archive(path)
    except HarmfulError:
        return False
    return True


def newest_checkpoint(folder: Path) -> tuple[Path | None, list[Path]]:
    """The checkpoint of a work folder to go on from.

    Args:
        folder: Of a run.

    Returns:
        The one that MMEngine names there, or else that of the highest number; the
        first that is whole, ``None`` if none is. And those that were passed over.
    """
    damaged = []
    for path in _candidates(folder):
        if is_whole(path):
            return path, damaged
        damaged.append(path)
    return None, damaged


def _candidates(folder: Path) -> Iterator[Path]:
    named = None
    try:
        found = Path((folder / LAST).read_text(encoding='utf-8').strip())
        # The work folder may have been moved, or be another one's relative path.
        places = (found, folder / found.name)
        named = next((path for path in places if path.is_file()), None)
    except (OSError, UnicodeDecodeError):  # also of a name that is too long
        pass
    if named is not None:
        yield named
    numbers = {
        path: int(found[1])
        for path in folder.glob('*.pth')
        if (found := NUMBERED.fullmatch(path.name)) and path != named
    }
    yield from sorted(numbers, key=numbers.get, reverse=True)
