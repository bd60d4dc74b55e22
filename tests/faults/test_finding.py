"""Which checkpoint of a work folder is the one to go on from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine import messages, whole_files
from litehrnet_mm.engine.starting import read_start
from litehrnet_mm.engine.whole_files import (
    LAST,
    PART,
    drop_parts,
    newest_checkpoint,
    settle_last,
)


def save(path: Path, done: int, **more: object) -> Path:
    """A checkpoint after so many iterations, which can be resumed from."""
    meta = dict(epoch=done, iter=done)
    content = dict(state_dict=dict(w=torch.rand(3)), meta=meta)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**content, 'optimizer': {}, 'message_hub': {}, **more}, path)
    return path


def spoil(path: Path) -> None:
    """Cut off the end of a file."""
    path.write_bytes(path.read_bytes()[:-9])


@pytest.fixture
def copied(tmp_path) -> tuple[Path, Path]:
    """A work folder with three checkpoints that has gone on since it was copied."""
    old, new = tmp_path / 'old', tmp_path / 'new'
    for number in (1, 2, 3):
        save(old / f'epoch_{number}.pth', number)
    (old / LAST).write_text(str(old / 'epoch_3.pth'))
    shutil.copytree(old, new)
    (old / LAST).write_text(str(save(old / 'epoch_4.pth', 4)))
    return old, new


def test_a_copy_lacks_what_it_names(copied):
    _, new = copied
    (new / 'epoch_3.pth').unlink()
    assert newest_checkpoint(new) == (new / 'epoch_2.pth', [])


def test_what_a_copy_names_is_damaged(copied):
    _, new = copied
    spoil(new / 'epoch_3.pth')
    assert newest_checkpoint(new) == (new / 'epoch_2.pth', [new / 'epoch_3.pth'])


def test_a_copy_whose_checkpoints_are_elsewhere(tmp_path):
    """It starts from what it names, and else from none of the other run."""
    out, new = tmp_path / 'out', tmp_path / 'new'
    new.mkdir()
    two = save(out / 'old/epoch_2.pth', 2)
    (new / LAST).write_text(str(two))
    settings = dict(out_dir=str(out))
    assert newest_checkpoint(new, settings=settings) == (two, [])
    save(out / 'old/epoch_4.pth', 4)
    two.unlink()
    assert newest_checkpoint(new, settings=settings) == (None, [])


def config(work: Path, **hook: object) -> Config:
    """As much of one as is looked at before training."""
    hooks = dict(checkpoint=dict(type='CheckpointHook', **hook))
    return Config(dict(work_dir=str(work), default_hooks=hooks, resume=True))


@pytest.mark.parametrize('last', [None, '', '/nowhere/epoch_9.pth'])
def test_in_another_folder_though_nothing_names_it(tmp_path, last):
    work, out = tmp_path / 'work', tmp_path / 'out'
    work.mkdir()
    if last is not None:
        (work / LAST).write_text(last)
    save(out / 'work/epoch_1.pth', 1)
    two = save(out / 'work/epoch_2.pth', 2)
    save(out / 'other/epoch_3.pth', 3)
    cfg = config(work, out_dir=str(out))
    assert read_start(cfg)[0] == str(two)
    assert (cfg.resume, cfg.load_from) == (True, str(two))


def test_one_found_in_two_ways_is_judged_once(tmp_path, monkeypatch):
    work = tmp_path / 'work'
    work.mkdir()
    one = save(tmp_path / 'out/work/epoch_1.pth', 1)
    (work / LAST).write_text(str(one))
    spoil(one)
    monkeypatch.chdir(tmp_path)
    found = newest_checkpoint(work, settings=dict(out_dir='out'))
    assert found == (None, [one])


def test_no_other_is_read_if_the_named_one_will_do(tmp_path, monkeypatch):
    """Large ones take long."""
    for name in ('epoch_1', 'iter_2'):
        (tmp_path / LAST).write_text(str(save(tmp_path / f'{name}.pth', 1)))
    read = []
    monkeypatch.setattr(whole_files, 'read_checkpoint', read.append)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_2.pth', [])
    assert not read


@pytest.mark.parametrize(
    'template', ['ckpt_{}.pth', 'a.{:04d}+.pth', 'net_{}.pt', 'a.{}']
)
def test_names_of_the_hooks_own(tmp_path, template):
    for number in (9, 10):
        save(tmp_path / template.format(number), number)
    for name in ('ckpt_99.pt', 'best_99.pth', 'axx11+.pth'):
        save(tmp_path / name, 99)
    named = config(tmp_path, filename_tmpl=template)
    assert read_start(named)[0] == str(tmp_path / template.format(10))
    at_sigterm = save(tmp_path / 'iter_11.pth', 11)
    named = config(tmp_path, filename_tmpl=template)
    assert read_start(named)[0] == str(at_sigterm)


def test_names_of_the_hooks_own_where_the_last_one_was(tmp_path):
    """It is named, and gone; ``out_dir`` is that of the run before."""
    two = save(tmp_path / 'out/work/net_2.pt', 2)
    work = tmp_path / 'work'
    work.mkdir()
    (work / LAST).write_text(str(two.with_name('net_3.pt')))
    assert newest_checkpoint(work, settings=dict(filename_tmpl='net_{}.pt'))[0] == two
    assert newest_checkpoint(work) == (None, [])


@pytest.mark.parametrize('template', ['epoch_{}.pth', 'net_{}.pt', 'a.{}'])
def test_what_was_begun_goes_by_the_hooks_own_names(tmp_path, template):
    name = template.format(3)
    begun = [name, f'best_AP_{name}', 'iter_4.pth', 'epoch_3-1a2b3c4d.pth']
    others = [name, 'x.part', '.part', 'a', f'my_{name[:-1]}x.part']
    for other in others:
        (tmp_path / other).touch()
    for whole in begun:
        (tmp_path / f'{whole}{PART}').touch()
    drop_parts(tmp_path, template)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize('settings', [{}, dict(out_dir='s3://bucket/x')])
def test_one_that_is_on_no_disk_is_given_to_mmengine(tmp_path, settings):
    name = 's3://bucket/x/work/epoch_3.pth'
    (tmp_path / LAST).write_text(name)
    save(tmp_path / 'epoch_1.pth', 1)
    cfg = config(tmp_path, **settings)
    assert read_start(cfg) == (name, None)
    assert (cfg.resume, cfg.load_from) == (True, name)


def aged(path: Path, seconds: int) -> Path:
    """A file that was written so many seconds ago."""
    past = path.stat().st_mtime - seconds
    os.utime(path, (past, past))
    return path


@pytest.mark.parametrize('known', [True, False])
def test_killed_while_the_first_is_written_over_an_earlier_run(tmp_path, known):
    """What was to be the last has the name of one that is there already."""
    for number, age in ((1, 30), (2, 20), (3, 10)):
        aged(save(tmp_path / f'epoch_{number}.pth', number), age)
    if known:
        (tmp_path / LAST).write_text(str(tmp_path / 'epoch_3.pth'))
        aged(tmp_path / LAST, 11)
    part = tmp_path / f'{LAST}{PART}'
    part.write_text(str(tmp_path / 'epoch_1.pth'))
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_3.pth', [])
    settle_last(tmp_path)
    assert not part.exists()
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_3.pth', [])


@pytest.mark.parametrize('known', [True, False])
def test_killed_before_the_new_one_is_named(tmp_path, known):
    for number in (1, 3):
        aged(save(tmp_path / f'epoch_{number}.pth', number), 20)
    if known:
        (tmp_path / LAST).write_text(str(tmp_path / 'epoch_3.pth'))
        aged(tmp_path / LAST, 20)
    part = tmp_path / f'{LAST}{PART}'
    part.write_text(str(tmp_path / 'epoch_1.pth'))
    aged(part, 10)
    save(tmp_path / 'epoch_1.pth', 1)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_1.pth', [])
    settle_last(tmp_path)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_1.pth', [])
    assert (tmp_path / LAST).read_text().endswith('epoch_1.pth')


@pytest.mark.parametrize('meta', [{}, dict(iter=3), dict(epoch=3), 'x'])
def test_one_that_does_not_say_how_far_it_is(tmp_path, meta):
    path = save(tmp_path / 'epoch_1.pth', 1, meta=meta)
    cfg = Config(dict(work_dir=str(tmp_path), resume=str(path)))
    with pytest.raises(UserError, match='without the epoch and the iteration'):
        read_start(cfg)


@pytest.mark.parametrize(('rank', 'times'), [('0', 1), ('1', 0), (None, 1)])
def test_a_line_is_said_once_before_processes_know_each_other(monkeypatch, rank, times):
    said = []
    monkeypatch.setattr(messages, 'print_log', lambda *given: said.append(given))
    monkeypatch.delenv('RANK', raising=False)
    if rank is not None:
        monkeypatch.setenv('RANK', rank)
    messages.warn('x')
    assert len(said) == times
