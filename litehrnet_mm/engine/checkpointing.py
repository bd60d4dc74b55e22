"""Checkpoints that survive what may happen to a run."""

from __future__ import annotations

import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from litehrnet_mm.engine.whole_files import BACKEND, LAST, PART, write_whole
from litehrnet_mm.registry import HOOKS


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, which never leaves a run without a whole file.

    A checkpoint is written under another name, brought to the disk and renamed, as is
    ``last_checkpoint``; older ones are removed afterwards, not before. If it cannot be
    written, as on a full disk, training goes on with an error in the log, and what was
    saved before stays. ``tools/train.py`` puts it in the place of ``CheckpointHook``.

    Args:
        **settings: Those of ``CheckpointHook``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.backend_args is None and self.file_client_args is None:
            self.backend_args = dict(backend=BACKEND)

    def before_train(self, runner: Runner) -> None:
        """Remove what an ended run had half written."""
        super().before_train(runner)
        if is_main_process() and Path(self.out_dir).is_dir():
            for part in Path(self.out_dir).glob(f'*.pth{PART}'):
                part.unlink(missing_ok=True)

    def save_now(self, runner: Runner, name: str) -> None:
        """Save after an iteration, whenever that is, for ``--resume`` to go on from.

        Args:
            runner: Whose training it is, called after an iteration.
            name: Of the file, in the folder of the checkpoints.

        Raises:
            OSError: If it cannot be written.
        """
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=True,
            save_param_scheduler=True,
            meta=dict(epoch=runner.epoch, iter=runner.iter + 1),
            by_epoch=False,
            backend_args=self.backend_args,
            **self.args,
        )
        self._name_last(runner, os.path.join(self.out_dir, name))

    @staticmethod
    def _name_last(runner: Runner, path: str) -> None:
        if is_main_process():
            write_whole(Path(runner.work_dir) / LAST, path.encode())

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        before = list(self.keep_ckpt_ids) if self.max_keep_ckpts > 0 else []
        kept = [number for number in before if number != step] + [step]
        outdated = kept[: -self.max_keep_ckpts] if self.max_keep_ckpts > 0 else []
        self._keep(runner, kept[len(outdated) :])
        name = self.filename_tmpl.format(step)
        previous, self.last_ckpt = self.last_ckpt, os.path.join(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            self._name_last(runner, self.last_ckpt)
        except OSError as error:
            self.last_ckpt = previous
            self._keep(runner, before)
            runner.message_hub.update_info('last_ckpt', previous)
            _log_failure(name, error, previous)
            return
        if is_main_process():
            for number in outdated:
                path = os.path.join(self.out_dir, self.filename_tmpl.format(number))
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)

    def _keep(self, runner: Runner, numbers: list[int]) -> None:
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(numbers, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', numbers)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the new best one first, and only then remove the one before."""
        if not self.save_best:
            return
        single = len(self.key_indicators) == 1
        before = {'': self.best_ckpt_path} if single else dict(self.best_ckpt_path_dict)
        known = runner.message_hub.runtime_info
        scores = {key: x for key, x in known.items() if key.startswith('best_')}
        self._set_best(dict.fromkeys(before))
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            self._set_best(before)
            for key in [key for key in known if key.startswith('best_')]:
                del known[key]
            known.update(scores)
            _log_failure('the best checkpoint', error, self.last_ckpt)
            return
        after = {'': self.best_ckpt_path} if single else dict(self.best_ckpt_path_dict)
        self._set_best({key: after.get(key) or before[key] for key in before})
        for key, path in before.items():
            replaced = path and after.get(key) and after[key] != path
            if replaced and is_main_process() and self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if '' in paths:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict = dict(paths)


def _log_failure(name: str, error: OSError, previous: str | None) -> None:
    print_log(
        f'{name} could not be saved: {error.strerror or error}. Training goes on; the '
        f'newest whole checkpoint is {previous or "none so far"}',
        'current',
        logging.ERROR,
    )
