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

OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
OF_FOLDERS = (errno.EACCES, errno.EPERM, errno.ESTALE)
"""These count for files of the work folder only: data may be what cannot be read."""


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
        work = Path(cfg.work_dir)
        of_ours = error.filename and work in Path(error.filename).parents
        if error.errno not in (*OF_DISKS, *(OF_FOLDERS if of_ours else ())):
            raise
        newest, _ = newest_checkpoint(work)
        raise UserError(
            f'{error.filename or f"a file in {cfg.work_dir}"} could not be written: '
            f'{error.strerror}; the newest whole checkpoint is {newest or "none"}: '
            'train on with --resume once it can be'
        ) from error
    finally:
        logging.raiseExceptions = shows
