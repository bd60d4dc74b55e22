"""What cannot be written, as one line."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        newest, _ = newest_checkpoint(Path(cfg.work_dir))
        raise UserError(
            f'{error.filename or f"a file in {cfg.work_dir}"} could not be written: '
            f'{error.strerror}; the newest whole checkpoint is {newest or "none"}: '
            'train on with --resume once it can be'
        ) from error
    finally:
        logging.raiseExceptions = shows


def _is_of_run(name: str | None, cfg: Config) -> bool:
    """Whether a file is in the work folder, or in that for checkpoints."""
    hook = cfg.get('default_hooks', {}).get('checkpoint') or {}
    folders = [Path(x).resolve() for x in (cfg.work_dir, hook.get('out_dir')) if x]
    above = Path(name).resolve().parents if name else ()
    return any(folder in above for folder in folders)
