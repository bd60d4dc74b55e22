"""What cannot be written, as one line."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from mmengine.config import Config

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.whole_files import newest_checkpoint

OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OF_FILES = (errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE)
"""These count for files of the run only: data may be what cannot be read."""


@contextmanager
def disk_errors(cfg: Config) -> Iterator[None]:
    """Turn the error of a disk that takes nothing more into one line.

    What Python's logging cannot write to its file meanwhile is on the screen; it shows
    no traceback for each line.

    Args:
        cfg: The config of a training.

    Raises:
        UserError: In its place, with the checkpoint to go on from.
    """
    shows, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    except OSError as error:
        is_ours = error.errno in OF_FILES and _is_of_run(error.filename, cfg)
        if error.errno not in OF_WRITING and not is_ours:
            raise
        saving = checkpoint_settings(cfg)
        newest, _ = newest_checkpoint(Path(cfg.work_dir), settings=saving)
        name = error.filename or (
            f'a file in {cfg.work_dir} or in {gettempdir()}, the temporary folder,'
        )
        raise UserError(
            f'{name} could not be written: {error.strerror}; the newest whole '
            f'checkpoint is {newest or "none"}: train on with --resume once it can be'
        ) from error
    finally:
        logging.raiseExceptions = shows


def checkpoint_settings(cfg: Config) -> Mapping[str, Any]:
    """What a config says of how checkpoints are saved, if it says anything."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    return hook if isinstance(hook, Mapping) else {}


def _is_of_run(name: str | None, cfg: Config) -> bool:
    """Whether it is the work folder or that for checkpoints, or a file in them."""
    if not name:
        return False
    folders, out_dir = [Path(cfg.work_dir)], checkpoint_settings(cfg).get('out_dir')
    if out_dir:  # MMEngine has a folder in it per run
        folders.append(Path(out_dir, folders[0].name))
    path = Path(name).resolve()
    return any(folder.resolve() in (path, *path.parents) for folder in folders)
