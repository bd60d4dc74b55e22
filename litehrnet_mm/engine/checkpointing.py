"""Checkpoints that survive what may happen to a run."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.logging import print_log
from mmengine.runner import (
    CheckpointLoader,
    Runner,
    find_latest_checkpoint,
    save_checkpoint,
)

from litehrnet_mm.checkpoints.files import is_local
from litehrnet_mm.cli import UserError, make_folder
from litehrnet_mm.engine import gradients
from litehrnet_mm.engine.divergence import check_finite
from litehrnet_mm.engine.evaluating import note_due
from litehrnet_mm.engine.replacing import (
    INTERIM,
    KEPT,
    ReplacingHook,
    agree,
    is_same,
    log_failure,
    restore,
)
from litehrnet_mm.engine.storing import (
    BACKEND,
    LOCAL,
    drop_part,
    name_part,
    write_part,
)
from litehrnet_mm.engine.whole_files import LAST, drop_parts, settle_last
from litehrnet_mm.registry import HOOKS


@HOOKS.register_module()
class WholeCheckpointHook(ReplacingHook):
    """MMEngine's ``CheckpointHook``, which never leaves a run without a whole file.

    A checkpoint is written under another name, brought to the disk and renamed, as is
    ``last_checkpoint``; older ones are removed afterwards, not before. If it cannot be
    written, as on a full disk, training goes on with an error in the log, what was
    saved before stays, and the run ends with an error if that was its last one. Weights
    that are not finite are never saved. What was saved out of turn is removed after the
    next regular checkpoint. Gradients that wait for more of them are saved, too.
    ``tools/train.py`` puts it in the place of ``CheckpointHook``.

    Args:
        **settings: Those of ``CheckpointHook``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        on_disk = self.out_dir is None or is_local(str(self.out_dir))
        if on_disk and self.backend_args in LOCAL and self.file_client_args in LOCAL:
            self.backend_args, self.file_client_args = dict(backend=BACKEND), None
        self.failure: str | None = None
        self._gradients: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Settle what an ended run had half done, and know what this one resumes.

        Raises:
            UserError: If the folder for checkpoints cannot be made.
        """
        # MMEngine would remove what is too many by now, of whichever run it is.
        kept = runner.message_hub.pop_info(KEPT, []) if runner._resume else []
        super().before_train(runner)
        if is_local(str(self.out_dir)):
            make_folder(Path(self.out_dir), 'the folder for checkpoints,')
        resumed = runner._load_from
        if runner._resume and resumed is None:  # MMEngine has looked for it as here
            resumed = find_latest_checkpoint(runner.work_dir)
        if is_main_process():
            settle_last(Path(runner.work_dir))
            drop_parts(Path(self.out_dir), self.filename_tmpl)
        if runner._resume:
            self._name_last(runner, resumed)
            self._go_on_from(runner, resumed, kept)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on with gradients that waited."""
        if runner._resume:
            gradients.restore_gradients(runner, checkpoint)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add gradients that wait."""
        if self._gradients and 'optimizer' in checkpoint:
            checkpoint[gradients.KEY] = self._gradients

    def after_train(self, runner: Runner) -> None:
        """See that what training ended with was saved, and publish it.

        Raises:
            UserError: If it was not.
        """
        if self.failure is not None:
            raise UserError(
                f'{self.failure}; the newest whole checkpoint is '
                f'{self.last_ckpt or "none"}: make room, and train with --resume'
            )
        super().after_train(runner)

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
        check_finite(runner, done)
        name = f'iter_{done}.pth'
        hub, path = runner.message_hub, os.path.join(self.out_dir, name)
        before = hub.runtime_info.get(INTERIM)
        # A regular save may have written it just now.
        if not is_same(self.last_ckpt, self.out_dir, name):
            hub.update_info(INTERIM, path)
        if before and before != path:
            self._outdate(runner, [before])
        meta = dict(epoch=runner.epoch, iter=done)
        self._save(runner, name, True, True, meta, False)
        return name

    def _save(
        self,
        runner: Runner,
        name: str,
        optimizer: bool,
        scheduler: bool,
        meta: dict,
        by_epoch: bool,
    ) -> None:
        """Save, have it named as the last, and remove what is outdated by it.

        What will be the last is on the disk before the checkpoint has its name, so that
        no moment to be killed in leaves a whole one that is not found.

        Raises:
            OSError: If the main process cannot; in all of them.
        """
        last = Path(runner.work_dir) / LAST
        path, previous = os.path.join(self.out_dir, name), self.last_ckpt
        self._gradients = gradients.waiting_gradients(runner) if optimizer else {}
        self._name_last(runner, path)
        note_due(runner, meta)
        error = None
        try:
            if is_main_process():
                write_part(last, path.encode())
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
            if is_main_process():
                name_part(last)
        except OSError as refused:
            error = refused
            drop_part(last)
        self._gradients = {}
        try:
            agree(error, path)
        except OSError:
            self._name_last(runner, previous)
            raise
        self._remove_outdated(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        check_finite(runner, meta['iter'])
        known = dict(runner.message_hub.runtime_info)
        before = list(self.keep_ckpt_ids) if self.max_keep_ckpts > 0 else []
        kept = [number for number in before if number != step] + [step]
        self._outdate(runner, self._keep(runner, kept))
        name, previous = self.filename_tmpl.format(step), self.last_ckpt
        interim = known.get(INTERIM)
        if interim and self.save_optimizer and os.path.basename(interim) != name:
            self._outdate(runner, [interim])
            runner.message_hub.update_info(INTERIM, None)
        kinds = (self.save_optimizer, self.save_param_scheduler)
        try:
            self._save(runner, name, *kinds, meta, self.by_epoch)
            self.failure = None
        except OSError as error:
            restore(runner, known)
            self._keep(runner, before)
            if self.failure is None and is_same(previous, self.out_dir, name):
                log_failure(f'the new best score in {name}', error, previous)
            else:
                self.failure = log_failure(name, error, previous)

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str | None) -> None:
        """Write what is to be published of a checkpoint, as MMEngine, but whole."""
        if ckpt_path is None:
            return
        content = CheckpointLoader.load_checkpoint(ckpt_path, map_location='cpu')
        chosen = {key: content[key] for key in content if key in self.published_keys}
        digest = hashlib.sha256(pickle.dumps(chosen)).hexdigest()
        path = f'{os.path.splitext(ckpt_path)[0]}-{digest[:8]}.pth'
        save_checkpoint(chosen, path, backend_args=self.backend_args)
        print_log(f'{ckpt_path} is published as {path}', 'current')
