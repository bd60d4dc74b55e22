"""What a checkpoint replaces, and what its processes make of one that fails."""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from litehrnet_mm.engine.agreement import greatest
from litehrnet_mm.engine.divergence import check_finite
from litehrnet_mm.engine.messages import warn

INTERIM = 'interim_ckpt'
"""Under this name a run knows the checkpoint that it saved between regular ones."""
KEPT = 'keep_ckpt_ids'
"""Under this name, which is MMEngine's, it knows the numbers of regular ones."""
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

    def _go_on_from(self, runner: Runner, resumed: str | None, kept: list[int]) -> None:
        """Replace from now on what the resumed run would have replaced.

        What it had yet to remove when it was killed goes now; if fewer are to be kept
        by now, the surplus goes once the next one is there. In another folder than that
        of the resumed checkpoint its names mean checkpoints of others, which stay.
        """
        hub = runner.message_hub
        if not is_same(resumed, self.out_dir, os.path.basename(resumed or '')):
            for key in [*hub.runtime_info]:
                if key in (INTERIM, OUTDATED) or key.startswith('best_ckpt'):
                    hub.pop_info(key)
            if self.save_best:
                self._set_best(dict.fromkeys(self._best()))
            return
        if self.save_best:
            self._set_best({key: self._own(path) for key, path in self._best().items()})
        self._remove_outdated(runner)
        self._outdate(runner, self._keep(runner, kept))

    def _keep(self, runner: Runner, numbers: list[int]) -> list[str]:
        """Keep the checkpoints of the last of such numbers; the others are returned."""
        if self.max_keep_ckpts <= 0:
            return []
        kept = numbers[-self.max_keep_ckpts :]
        self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
        runner.message_hub.update_info(KEPT, kept)
        others = map(self.filename_tmpl.format, numbers[: -self.max_keep_ckpts])
        return [os.path.join(self.out_dir, name) for name in others]

    def _remove_outdated(self, runner: Runner) -> None:
        """Remove what a checkpoint has replaced; what cannot be waits for the next."""
        hub, last = runner.message_hub, os.path.basename(self.last_ckpt or '')
        others = [
            path
            for path in hub.runtime_info.get(OUTDATED, ())
            if os.path.basename(path) != last
        ]
        hub.update_info(OUTDATED, [path for path in others if not self._remove(path)])

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the new best one and its score first, only then remove the one before.

        MMEngine would do the latter first.
        """
        if not self.save_best:
            return
        check_finite(runner, runner.iter)
        before, last = self._best(), self.last_ckpt
        known = dict(runner.message_hub.runtime_info)
        self._set_best(dict.fromkeys(before))
        self.last_ckpt, error = None, None  # MMEngine would save again, too
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as refused:
            error = refused
        self.last_ckpt = last
        new = {key: path for key, path in self._best().items() if path}
        try:
            agree(error, 'the best checkpoint')
        except OSError as refused:
            self._set_best(before)
            restore(runner, known)
            for path in {*new.values()} - {*before.values()}:
                self._remove(path)
            log_failure('the best checkpoint', refused, last)
            return
        self._set_best({**before, **new})
        replaced = [before[key] for key in new if before.get(key)]
        self._outdate(runner, [old for old in replaced if old not in new.values()])
        if new and last is not None:
            step = runner.epoch if self.by_epoch else runner.iter
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)
        elif new:  # no checkpoint has a score yet
            self._remove_outdated(runner)

    def _best(self) -> dict[str, str | None]:
        """The best checkpoint by each metric; one metric alone has no name here."""
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if '' in paths:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict = dict(paths)

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


def log_failure(name: str, error: OSError, previous: str | None) -> str:
    """Log that training goes on though a checkpoint could not be saved.

    Args:
        name: Of the checkpoint.
        error: Of the disk.
        previous: The checkpoint before.

    Returns:
        What could not be saved, and why.
    """
    failure = f'{name} could not be saved: {error.strerror or error}'
    print_log(
        f'{failure}. Training goes on; the newest whole checkpoint is '
        f'{previous or "none so far"}',
        'current',
        logging.ERROR,
    )
    return failure
