"""Checkpoints that survive what may happen to a run."""

from __future__ import annotations

import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from litehrnet_mm.checkpoints.files import is_local, not_finite
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.building import bare_model
from litehrnet_mm.engine.whole_files import (
    BACKEND,
    LAST,
    PART,
    drop_part,
    name_part,
    settle_last,
    write_part,
)
from litehrnet_mm.registry import HOOKS

INTERIM = 'interim_ckpt'
"""Under this name a run knows the checkpoint that it saved between regular ones."""


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, which never leaves a run without a whole file.

    A checkpoint is written under another name, brought to the disk and renamed, as is
    ``last_checkpoint``; older ones are removed afterwards, not before. If it cannot be
    written, as on a full disk, training goes on with an error in the log, what was
    saved before stays, and the run ends with an error if that was its last one. Weights
    that are not finite are never saved. What was saved out of turn is removed after the
    next regular checkpoint. ``tools/train.py`` puts it in the place of
    ``CheckpointHook``.

    Args:
        **settings: Those of ``CheckpointHook``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        on_disk = self.out_dir is None or is_local(str(self.out_dir))
        if on_disk and self.backend_args is None and self.file_client_args is None:
            self.backend_args = dict(backend=BACKEND)
        self.failure: str | None = None

    def before_train(self, runner: Runner) -> None:
        """Settle what an ended run had half done, and know what this one resumes."""
        super().before_train(runner)
        if is_main_process():
            settle_last(Path(runner.work_dir))
            for part in Path(self.out_dir).glob(f'*.pth{PART}'):
                part.unlink(missing_ok=True)
        if runner._resume:
            self._name_last(runner, runner._load_from)
        if self.save_best:
            self._set_best({key: self._own(path) for key, path in self._best().items()})

    def _name_last(self, runner: Runner, path: str | None) -> None:
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)

    def _own(self, path: str | None) -> str | None:
        """A checkpoint in this run's folder: that of another run is not to be removed.

        It is named as where it was when the run that is resumed knew it.
        """
        own = path and os.path.join(self.out_dir, os.path.basename(path))
        return own if own and self.file_backend.isfile(own) else None

    def after_train(self, runner: Runner) -> None:
        """See that what training ended with was saved.

        Raises:
            UserError: If it was not.
        """
        super().after_train(runner)
        if self.failure is not None:
            raise UserError(
                f'{self.failure}; the newest whole checkpoint is '
                f'{self.last_ckpt or "none"}: make room, and train with --resume'
            )

    def save_now(self, runner: Runner, done: int) -> str:
        """Save between iterations, whenever that is, for ``--resume`` to go on from.

        Args:
            runner: Whose training it is.
            done: Iterations that it has behind it.

        Returns:
            The name of the file.

        Raises:
            OSError: If it cannot be written.
            UserError: If the weights are not finite.
        """
        _check_finite(runner, done)
        name = f'iter_{done}.pth'
        hub, path = runner.message_hub, os.path.join(self.out_dir, name)
        before = hub.runtime_info.get(INTERIM)
        if path != self.last_ckpt:  # which a regular save may have written just now
            hub.update_info(INTERIM, path)
        previous = self.last_ckpt
        self._name_last(runner, path)
        try:
            meta = dict(epoch=runner.epoch, iter=done)
            self._save(runner, name, True, True, meta, False)
        except OSError:
            self._name_last(runner, previous)
            raise
        if before != path:
            self._remove(before)
        return name

    def _remove(self, path: str | None) -> None:
        """Remove a checkpoint that another one has replaced, if it is of this run."""
        own = self._own(path)
        if own and is_main_process():
            self.file_backend.remove(own)

    def _save(
        self,
        runner: Runner,
        name: str,
        optimizer: bool,
        scheduler: bool,
        meta: dict,
        by_epoch: bool,
    ) -> None:
        """Save, and have it named as the last.

        What will be the last is on the disk before the checkpoint has its name, so that
        no moment to be killed in leaves a whole one that is not found.
        """
        last = Path(runner.work_dir) / LAST
        if is_main_process():
            write_part(last, os.path.join(self.out_dir, name).encode())
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=optimizer,
                save_param_scheduler=scheduler,
                meta=meta,
                by_epoch=by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
        except OSError:
            drop_part(last)
            raise
        if is_main_process():
            name_part(last)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        _check_finite(runner, meta['iter'])
        before = list(self.keep_ckpt_ids) if self.max_keep_ckpts > 0 else []
        kept = [number for number in before if number != step] + [step]
        outdated = kept[: -self.max_keep_ckpts] if self.max_keep_ckpts > 0 else []
        self._keep(runner, kept[len(outdated) :])
        name = self.filename_tmpl.format(step)
        previous = self.last_ckpt
        self._name_last(runner, os.path.join(self.out_dir, name))
        kinds = (self.save_optimizer, self.save_param_scheduler)
        try:
            self._save(runner, name, *kinds, meta, self.by_epoch)
            self.failure = None
        except OSError as error:
            self._name_last(runner, previous)
            self._keep(runner, before)
            self.failure = _log_failure(name, error, previous)
            return
        for number in outdated:
            self._remove(self.filename_tmpl.format(number))
        interim = runner.message_hub.runtime_info.get(INTERIM)
        if interim and self.save_optimizer and interim != self.last_ckpt:
            self._remove(interim)
            runner.message_hub.update_info(INTERIM, None)

    def _keep(self, runner: Runner, numbers: list[int]) -> None:
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(numbers, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', numbers)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the new best one first, and only then remove the one before."""
        if not self.save_best:
            return
        _check_finite(runner, runner.iter)
        before = self._best()
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
        after = self._best()
        self._set_best({key: after.get(key) or before[key] for key in before})
        for key, path in before.items():
            if after.get(key) and after[key] != path:
                self._remove(path)

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


def _log_failure(name: str, error: OSError, previous: str | None) -> str:
    failure = f'{name} could not be saved: {error.strerror or error}'
    print_log(
        f'{failure}. Training goes on; the newest whole checkpoint is '
        f'{previous or "none so far"}',
        'current',
        logging.ERROR,
    )
    return failure


def _check_finite(runner: Runner, done: int) -> None:
    """See that weights are numbers: a last step can spoil them after a sound loss.

    Raises:
        UserError: If some are not.
    """
    state = dict(bare_model(runner).state_dict())
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            averages = hook.ema_model.module.state_dict()
            state.update({f'averaged {key}': value for key, value in averages.items()})
    wrong = not_finite(state)
    if wrong:
        raise diverged(
            runner,
            f'after iteration {done}, {len(wrong)} of {len(state)} weights and '
            f'statistics hold inf or NaN, the first is {wrong[0]}: nothing is saved',
        )


def diverged(runner: Runner, what: str) -> UserError:
    """The error that ends a training that cannot recover.

    Args:
        runner: Whose it is.
        what: What was seen of it.
    """
    last = runner.message_hub.runtime_info.get('last_ckpt')
    return UserError(
        f'{what}; the last good checkpoint is {last or "none so far"}. Often a lower '
        'learning rate or a longer warm-up helps'
    )
