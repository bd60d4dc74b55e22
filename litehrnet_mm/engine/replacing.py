"""What a checkpoint replaces, and what its processes make of one that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from litehrnet_mm.engine.agreement import greatest
from litehrnet_mm.engine.messages import warn

OUTDATED = 'outdated_ckpts'
"""Under this name a checkpoint knows those that are to go once it is there."""


class ReplacingHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, which removes others once a checkpoint is there.

    A checkpoint knows those that it replaces, and a run that was killed before they
    were removed does so when it is resumed.
    """

    def _name_last(self, runner: Runner, path: str | None) -> None:
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)

    def _own(self, path: str | None) -> str | None:
        """A checkpoint in this run's folder: that of another run is not to be removed.

        It is named as where it was when the run that is resumed knew it.
        """
        own = path and os.path.join(self.out_dir, os.path.basename(path))
        return own if own and self.file_backend.isfile(own) else None

    def _remove(self, path: str) -> bool:
        """Remove a checkpoint that another one has replaced, if it is of this run.

        Returns:
            Whether it is not there any more, or not to be removed here.
        """
        own = self._own(path)
        if own and is_main_process():
            try:
                self.file_backend.remove(own)
            except OSError as error:  # which the new checkpoint has no part in
                warn(f'{own} could not be removed: {error.strerror or error}')
                return False
        return True

    def _settle_outdated(self, runner: Runner, resumed: str | None) -> None:
        """Remove what the resumed checkpoint has replaced, if the run was killed then.

        Only if that lies in this run's folder: in another one, the names mean others.
        """
        if resumed and Path(resumed).resolve().parent == Path(self.out_dir).resolve():
            self._remove_outdated(runner)
        else:
            runner.message_hub.update_info(OUTDATED, [])

    def _remove_outdated(self, runner: Runner) -> None:
        """Remove what a checkpoint has replaced; what cannot be waits for the next."""
        hub, last = runner.message_hub, os.path.basename(self.last_ckpt or '')
        others = [
            path
            for path in hub.runtime_info.get(OUTDATED, ())
            if os.path.basename(path) != last
        ]
        hub.update_info(OUTDATED, [path for path in others if not self._remove(path)])

    @staticmethod
    def _outdate(runner: Runner, paths: list[str]) -> None:
        """Have checkpoints removed once the next one is there."""
        known = runner.message_hub.runtime_info.get(OUTDATED, [])
        runner.message_hub.update_info(OUTDATED, [*known, *paths])


def agree(error: OSError | None, path: str) -> None:
    """Fail in all processes if one could not write; only the main one tries.

    Raises:
        OSError: Of that one.
    """
    number = greatest((error.errno or errno.EIO) if error else 0)
    if number:
        raise error or OSError(number, os.strerror(number), path)


def restore(runner: Runner, known: dict[str, Any]) -> None:
    """Have a run know what it knew before."""
    runner.message_hub.runtime_info.clear()
    runner.message_hub.runtime_info.update(known)


def is_same(path: str | None, folder: str, name: str) -> bool:
    """Whether a path is that of a name in a folder."""
    return bool(path) and Path(path).resolve() == Path(folder, name).resolve()
