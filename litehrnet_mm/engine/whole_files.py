"""Files that are there whole or not at all, and finding the newest whole checkpoint."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from mmengine.fileio import LocalBackend, register_backend

from litehrnet_mm.checkpoints.archives import check_archive
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.checkpoints.pickles import HarmfulError
from litehrnet_mm.cli import UserError
from litehrnet_mm.writing import PART, bring_to_disk, give_name, written_whole

LAST = 'last_checkpoint'
"""The file of a work folder in which MMEngine names its newest checkpoint."""
NUMBERED = re.compile(r'(epoch|iter)_(\d+)\.pth')


def write_part(path: Path, content: bytes) -> None:
    """Write a file under another name, to the disk; :func:`name_part` gives it its own.

    Whatever ends the process meanwhile, a file that was there before stays as it was.

    Raises:
        OSError: If it cannot be written, as on a full disk; nothing of it is left.
    """
    part = _part(path)
    try:
        part.write_bytes(content)
        bring_to_disk(part)
    except OSError as error:
        drop_part(path)
        raise _named(error, path) from error


def name_part(path: Path) -> None:
    """Give a file its name that :func:`write_part` has written.

    Raises:
        OSError: If it cannot be; nothing of it is left.
    """
    try:
        give_name(_part(path), path)
    except OSError as error:
        drop_part(path)
        raise _named(error, path) from error


def drop_part(path: Path) -> None:
    """Remove what :func:`write_part` wrote, if it did."""
    _part(path).unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def _named(error: OSError, path: Path) -> OSError:
    """The error with the file's name, which one of writing does not have."""
    return OSError(error.errno, error.strerror or str(error), str(path))


class WholeFiles(LocalBackend):
    """MMEngine's local files, which are there whole or not at all."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write a file; arguments as MMEngine's."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(path, _part(path)) as part:
                part.write_bytes(obj)
        except OSError as error:
            raise _named(error, path) from error


BACKEND = 'litehrnet_mm_whole_files'
register_backend(BACKEND, WholeFiles, force=True)


def is_whole(path: Path) -> bool:
    """Whether a file is a PyTorch checkpoint in which no byte is lost or changed."""
    try:
        check_archive(path)
    except HarmfulError:
        return False
    return True


def newest_checkpoint(
    folder: Path, usable: Callable[[Path], bool] = is_whole
) -> tuple[Path | None, list[Path]]:
    """The checkpoint of a work folder to go on from.

    Args:
        folder: Of a run. Its checkpoints may be in another one, which is found by what
            is named as the last.
        usable: Whether a checkpoint will do.

    Returns:
        The one that is named there as the last, or else that of the most iterations;
        the first that will do, ``None`` if none does. And those that were passed over.
    """
    passed = []
    for path in _candidates(folder):
        if usable(path):
            return path, passed
        passed.append(path)
    return None, passed


def settle_last(folder: Path) -> None:
    """Finish naming the last checkpoint, or undo it, where an ended run had begun to.

    It had the checkpoint's name on the disk before the checkpoint had it.
    """
    last = folder / LAST
    begun = _named_in(_part(last))
    if begun is not None and is_whole(begun):
        name_part(last)
    else:
        drop_part(last)


def _candidates(folder: Path) -> Iterator[Path]:
    # A run that was killed between the two names knew which was to be the last.
    files = (_part(folder / LAST), folder / LAST)
    first = list(dict.fromkeys(filter(None, map(_named_in, files))))
    yield from first
    named = [path for path in map(_read_name, files) if path and path.suffix == '.pth']
    elsewhere = [path.parent for path in named if path.parent != Path()]
    by_kind: dict[str, dict[Path, int]] = {'epoch': {}, 'iter': {}}
    for place in dict.fromkeys([folder, *elsewhere]):
        for path in _checkpoints_in(place):
            found = NUMBERED.fullmatch(path.name)
            if found and path not in first:
                by_kind[found[1]][path] = int(found[2])
    yield from _merged(*(sorted(x, key=x.get) for x in by_kind.values()))


def _checkpoints_in(folder: Path) -> list[Path]:
    try:
        return [*folder.glob('*.pth')]
    except (OSError, ValueError):  # of a name that no folder can have
        return []


def _read_name(file: Path) -> Path | None:
    """The path that a file holds, of whatever."""
    try:
        return Path(file.read_text(encoding='utf-8').strip())
    except (OSError, UnicodeDecodeError):
        return None


def _named_in(file: Path) -> Path | None:
    """The checkpoint whose path a file holds, if it is there."""
    found = _read_name(file)
    if found is None:
        return None
    # The work folder may have been moved or copied: what is in this one counts then.
    places = [found, file.parent / found.name]
    try:
        moved = found.parent != file.parent and (found.parent / LAST).is_file()
    except (OSError, ValueError):
        return None
    for path in reversed(places) if moved else places:
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # of a name that is too long, or none
            continue
    return None


def _merged(epochs: list[Path], iterations: list[Path]) -> Iterator[Path]:
    """Both kinds, each in the order of its numbers, from the latest on."""
    while epochs and iterations:
        later = _iterations(epochs[-1]) > _iterations(iterations[-1])
        yield (epochs if later else iterations).pop()
    yield from reversed(epochs + iterations)


def _iterations(path: Path) -> float:
    """How many a checkpoint has behind it; inf if it is damaged, as it is then told."""
    try:
        return int(read_checkpoint(path)['meta']['iter'])
    except (UserError, KeyError, TypeError, ValueError):
        return math.inf
