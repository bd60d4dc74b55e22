"""What a checkpoint replaces, without a training round it."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.runner import save_checkpoint
from runs import names

from litehrnet_mm.engine import checkpointing, replacing
from litehrnet_mm.engine.checkpointing import WholeCheckpointHook
from litehrnet_mm.engine.replacing import INTERIM, OUTDATED
from litehrnet_mm.engine.storing import WholeFiles
from litehrnet_mm.engine.whole_files import LAST


class Run(SimpleNamespace):
    """As much of MMEngine's runner as its checkpoint hook looks at, and the hook."""

    def __init__(self, folder: Path, resumed: str | None, known: dict, **settings):
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1)
        super().__init__(
            **dict(work_dir=str(folder), _load_from=resumed, _resume=bool(resumed)),
            **dict(epoch=0, iter=0, hooks=[], logger=logging.getLogger('x')),
            **dict(train_loop=None, val_loop=None),
            **dict(model=model, optim_wrapper=OptimWrapper(optimizer)),
            message_hub=MessageHub('x'),
        )
        self.message_hub.update_info_dict(known)
        self.hook = WholeCheckpointHook(**settings)
        self.hook.before_train(self)

    @property
    def known(self) -> dict:
        """What the run knows."""
        return self.message_hub.runtime_info

    def save_checkpoint(self, folder, name, client=None, backend_args=None, **given):
        """Save what it knows."""
        content = dict(known=dict(self.known))
        save_checkpoint(content, os.path.join(folder, name), client, backend_args)

    def save(self, *epochs: int) -> None:
        """Save after such epochs."""
        for epoch in epochs:
            meta = dict(epoch=epoch, iter=epoch)
            self.hook._save_checkpoint_with_step(self, epoch, meta)


@pytest.fixture
def begin(tmp_path) -> Callable[..., Run]:
    """Begin a run, or go on with one: ``begin('work', resumed, known, **settings)``."""

    def begun(name='work', resumed=None, known=None, **settings) -> Run:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Run(folder, resumed and str(resumed), known or {}, **settings)

    return begun


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """What was warned of."""
    lines = []
    monkeypatch.setattr(replacing, 'warn', lines.append)
    return lines


def refusing(number: int, name: str, allowed: Callable) -> Callable:
    """A function that refuses a file of such a name."""

    def refuse(self, *given, **more):
        if Path(given[-1] if given else self).name == name:
            raise OSError(number, os.strerror(number), name)
        return allowed(self, *given, **more)

    return refuse


def test_a_disk_that_has_become_read_only(begin, tmp_path, monkeypatch):
    """What was begun cannot be removed either, and all processes learn of it."""
    run, agreed = begin(), []
    run.save(1)
    agree = checkpointing.agree

    def note(error, path):
        agreed.append(error and error.errno)
        agree(error, path)

    def refuse(path, *given, **more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(checkpointing, 'agree', note)
    for name in ('write_bytes', 'unlink'):
        monkeypatch.setattr(Path, name, refuse)
    run.save(2)
    assert agreed == [errno.EROFS]
    assert run.hook.failure == 'epoch_2.pth could not be saved: Read-only file system'
    assert run.hook.last_ckpt == run.known['last_ckpt']
    assert run.hook.last_ckpt == str(tmp_path / 'work/epoch_1.pth')


def test_nothing_older_is_published_in_place_of_what_could_not_be_saved(
    begin, tmp_path, monkeypatch
):
    run = begin(published_keys=['known'])
    run.save(1)
    with monkeypatch.context() as patch:
        refuse = refusing(errno.ENOSPC, 'epoch_2.pth', os.replace)
        patch.setattr(os, 'replace', refuse)
        run.save(2)
    with pytest.raises(checkpointing.UserError, match=r'epoch_2\.pth could not be'):
        run.hook.after_train(run)
    assert names(tmp_path / 'work') == ['epoch_1.pth']


def test_an_old_one_that_cannot_be_removed(begin, said, tmp_path, monkeypatch):
    """The new one is saved all the same, and the old one goes with the next."""
    work, run = tmp_path / 'work', begin(max_keep_ckpts=1)
    run.save(1)
    with monkeypatch.context() as patch:
        refuse = refusing(errno.EPERM, 'epoch_1.pth', WholeFiles.remove)
        patch.setattr(WholeFiles, 'remove', refuse)
        run.save(2)
        run.hook.after_train(run)
    (line,) = said
    assert line == f'{work}/epoch_1.pth could not be removed: Operation not permitted'
    assert names(work) == ['epoch_1.pth', 'epoch_2.pth']
    assert (work / LAST).read_text() == str(work / 'epoch_2.pth')
    run.save(3)
    assert names(work) == ['epoch_3.pth']
    assert run.known[OUTDATED] == []


def test_one_that_cannot_be_removed_after_a_resume_either(
    begin, said, tmp_path, monkeypatch
):
    work = tmp_path / 'work'
    begin().save(1, 2)
    known = {OUTDATED: [str(work / 'epoch_1.pth')]}
    with monkeypatch.context() as patch:
        refuse = refusing(errno.ESTALE, 'epoch_1.pth', WholeFiles.remove)
        patch.setattr(WholeFiles, 'remove', refuse)
        run = begin(resumed=work / 'epoch_2.pth', known=known)
    assert len(said) == 1
    run.save(3)
    assert names(work) == ['epoch_2.pth', 'epoch_3.pth']


def test_what_another_run_knew_is_not_removed_here(begin, tmp_path):
    """Checkpoints of the same names, in the folder of the run that resumes it."""
    here, other = tmp_path / 'here', tmp_path / 'other'
    best = 'best_x_epoch_1.pth'
    begin('here').save(1, 2, 3)
    (here / best).touch()
    begin('other').save(2)
    known = dict(keep_ckpt_ids=[1, 2], best_ckpt=str(other / best))
    known.update({INTERIM: str(other / 'epoch_3.pth'), OUTDATED: [str(other / best)]})
    settings = dict(max_keep_ckpts=1, save_best='x', rule='less')
    run = begin('here', other / 'epoch_2.pth', known, **settings)
    assert not {INTERIM, 'best_ckpt'} & {*run.known}
    assert run.hook.best_ckpt_path is None
    run.save(4, 5)
    kept = [best, *(f'epoch_{number}.pth' for number in (1, 2, 3, 5))]
    assert names(here) == kept
    assert names(other) == ['epoch_2.pth']


def test_what_is_too_many_by_now_stays_until_the_next_one_is_there(begin, tmp_path):
    begin().save(1, 2, 3)
    known = dict(keep_ckpt_ids=[1, 2, 3])
    resumed = tmp_path / 'work/epoch_3.pth'
    run = begin(resumed=resumed, known=known, max_keep_ckpts=2)
    assert names(tmp_path / 'work') == [f'epoch_{x}.pth' for x in (1, 2, 3)]
    run.save(4)
    assert names(tmp_path / 'work') == ['epoch_3.pth', 'epoch_4.pth']


def test_a_regular_one_is_none_of_sigterm_however_it_is_named(
    begin, tmp_path, monkeypatch
):
    """It was resumed by a relative path, and the signal came before a step."""
    begin(by_epoch=False).save(2)
    monkeypatch.chdir(tmp_path)
    run = begin(resumed='work/iter_2.pth', by_epoch=False)
    run.hook.save_now(run, 2)
    run.save(4)
    assert names(tmp_path / 'work') == ['iter_2.pth', 'iter_4.pth']
