"""Files of a run that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from litehrnet_mm.writing import PART, bring_to_disk, give_name, written_whole


def write_part(path: Path, content: bytes) -> None:
    """Write a file under another name, to the disk; :func:`name_part` gives it its own.

    Whatever ends the process meanwhile, a file that was there before stays as it was.

    Raises:
        OSError: If it cannot be written, as on a full disk; nothing of it is left.
    """
    with _dropped_if_refused(path) as part:
        part.write_bytes(content)
        bring_to_disk(part)


def name_part(path: Path) -> None:
    """Give a file its name that :func:`write_part` has written.

    Raises:
        OSError: If it cannot be; nothing of it is left.
    """
    with _dropped_if_refused(path) as part:
        give_name(part, path)


@contextmanager
def _dropped_if_refused(path: Path) -> Iterator[Path]:
    """Give a file's other name, and leave nothing under it if the disk refuses."""
    try:
        yield part_of(path)
    except OSError as error:
        drop_part(path)
        raise _named(error, path) from error


def drop_part(path: Path) -> None:
    """Remove what :func:`write_part` wrote, if it did.

    A disk that refuses this as well does not hide what it refused before.
    """
    with suppress(OSError):
        part_of(path).unlink()


def part_of(path: Path) -> Path:
    """The other name of a file, under which it is written."""
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
            with written_whole(path, part_of(path)) as part:
                part.write_bytes(obj)
        except OSError as error:
            raise _named(error, path) from error


BACKEND = 'litehrnet_mm_whole_files'
LOCAL = (None, {}, dict(backend='local'), dict(backend='disk'))
"""Settings that stand for local files, which MMEngine would write in place."""
register_backend(BACKEND, WholeFiles, force=True)
