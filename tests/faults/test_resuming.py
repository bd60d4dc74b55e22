"""What a run knows of checkpoints: its own, another run's, and those it resumed."""

import errno
import os
import re
import shutil
from pathlib import Path
from tempfile import gettempdir

import pytest
import torch
from interruptions import at, raising, train_interrupted
from mmengine.hooks import CheckpointHook
from mmpose.datasets import CocoDataset
from running import forget_runs, narrow
from runs import CONFIG, assert_same, options

from litehrnet_mm import writing
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.checkpointing import WholeCheckpointHook
from litehrnet_mm.engine.disk_errors import disk_errors
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.whole_files import LAST, newest_checkpoint


def names(folder: Path) -> list[str]:
    """Checkpoints in a folder."""
    return sorted(path.name for path in folder.glob('*.pth'))


def test_killed_twice_and_nothing_is_lost(
    prepare, watch, resume, monkeypatch, tmp_path
):
    """Between the two names of a checkpoint, and before the next one is saved."""
    replace = writing.os.replace

    def killed(source, target):
        replace(source, target)
        if Path(target).name == 'epoch_2.pth':
            raise KeyboardInterrupt

    cfg = prepare(tmp_path, 3)
    with monkeypatch.context() as patch:
        patch.setattr(writing.os, 'replace', killed)
        with pytest.raises(KeyboardInterrupt):
            train(cfg)
    cfg = prepare(tmp_path, 3)
    watch(cfg, 'before_train_iter', raising(KeyboardInterrupt(), 5))
    with pytest.raises(KeyboardInterrupt):
        resume(cfg)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_2.pth', [])


@pytest.mark.parametrize(
    'hook',
    ['none', dict(type='mmengine.CheckpointHook'), dict(type=CheckpointHook)],
    ids=['none', 'scope', 'class'],
)
def test_any_checkpoint_hook_of_mmengine_is_replaced(prepare, watch, tmp_path, hook):
    cfg = prepare(tmp_path, 3)
    if hook == 'none':
        del cfg.default_hooks['checkpoint']
    else:
        cfg.default_hooks['checkpoint'] = hook
    watch(cfg, 'after_train_iter', at(3))
    train_interrupted(cfg)
    saved = ['epoch_1.pth'] if hook == 'none' else []
    assert names(tmp_path) == [*saved, 'iter_3.pth']


@pytest.mark.parametrize('sampler', ['InfiniteSampler', 'DefaultSampler'])
def test_what_was_seen_is_not_loaded_again(
    prepare, watch, resume, monkeypatch, tmp_path, sampler
):
    def prepared(name, length):
        cfg = prepare(tmp_path / name, length, by_epoch=False)
        cfg.train_dataloader.sampler.type = sampler
        return cfg

    resume(prepared('alone', 8))
    cfg = prepared('work', 8)
    watch(cfg, 'after_train_iter', at(5))
    train_interrupted(cfg)
    loaded, load = [], CocoDataset.prepare_data

    def note(dataset, index):
        loaded.append(index)
        return load(dataset, index)

    monkeypatch.setattr(CocoDataset, 'prepare_data', note)
    resume(prepared('work', 8))
    assert len(loaded) == 3 * 2  # iterations left, images of a batch
    assert_same(tmp_path / 'alone/iter_8.pth', tmp_path / 'work/iter_8.pth')


def test_without_a_seed_the_weights_are_the_same(prepare, tmp_path):
    """The seed that was drawn is that of the resumed run, too."""

    def prepared(name, start=None):
        cfg = prepare(tmp_path / name, 4, by_epoch=False)
        cfg.randomness = dict(seed=None)
        cfg.resume = start
        return cfg

    train(prepared('alone'))
    forget_runs()
    train(prepared('work', str(tmp_path / 'alone/iter_2.pth')))
    assert_same(tmp_path / 'alone/iter_4.pth', tmp_path / 'work/iter_4.pth')


@pytest.mark.parametrize('iteration', [4, 5])
def test_an_epoch_of_another_length_starts_anew(
    prepare, watch, resume, tmp_path, iteration
):
    """If it was interrupted in its midst; not if it was complete by then."""

    def prepared(images):
        cfg = prepare(tmp_path, 2)
        cfg.train_dataloader.batch_size = 1
        cfg.train_dataloader.dataset.indices = images
        return cfg

    cfg = prepared(4)
    watch(cfg, 'after_train_iter', at(iteration))
    train_interrupted(cfg)
    cfg, seen = prepared(2), []
    watch(cfg, 'before_train_iter', lambda runner, **given: seen.append(runner.iter))
    resume(cfg)
    assert seen == [iteration, iteration + 1]
    assert ('starts anew' in log_of(tmp_path)) == (iteration == 5)


def log_of(work: Path) -> str:
    """What all runs of a work folder have logged."""
    return ''.join(path.read_text() for path in work.glob('*/*.log'))


def test_batches_are_numbered_as_if_nothing_had_been(prepare, watch, resume, tmp_path):
    """In what remains of the epoch, and in the next one."""

    def prepared():
        cfg = prepare(tmp_path, 2)
        cfg.train_dataloader.batch_size = 1
        cfg.default_hooks.logger.interval = 4
        return cfg

    cfg, numbers = prepared(), []
    watch(cfg, 'after_train_iter', at(2))
    train_interrupted(cfg)
    cfg = prepared()
    watch(
        cfg,
        'after_train_iter',
        lambda runner, batch_idx, **given: numbers.append(batch_idx),
    )
    resume(cfg)
    assert numbers == [2, 3, 0, 1, 2, 3]
    assert re.findall(r'Epoch\(train\) +(\S+)', log_of(tmp_path)) == [
        '[1][4/4]',
        '[2][4/4]',
    ]


def test_gradients_that_wait_for_more_are_not_lost(prepare, watch, resume, tmp_path):
    def prepared(name):
        cfg = prepare(tmp_path / name, 3)
        cfg.train_dataloader.batch_size = 1
        cfg.optim_wrapper.accumulative_counts = 4
        return cfg

    resume(prepared('alone'))
    cfg = prepared('work')
    watch(cfg, 'after_train_iter', at(6))
    train_interrupted(cfg)
    assert newest_checkpoint(tmp_path / 'work')[0].name == 'iter_6.pth'
    resume(prepared('work'))
    assert_same(tmp_path / 'alone/epoch_3.pth', tmp_path / 'work/epoch_3.pth')


def test_what_was_saved_out_of_turn_goes(prepare, watch, resume, tmp_path):
    for iteration in (1, 2):
        cfg = prepare(tmp_path, 2)
        watch(cfg, 'after_train_iter', at(iteration))
        with pytest.raises(SystemExit):
            resume(cfg)
        assert names(tmp_path) == [f'iter_{iteration}.pth']
    resume(prepare(tmp_path, 2))
    assert names(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']


def test_a_regular_one_stays_if_it_is_saved_again(prepare, watch, resume, tmp_path):
    cfg = prepare(tmp_path, 6, by_epoch=False)
    watch(cfg, 'after_train_iter', at(2))
    train_interrupted(cfg)
    resume(prepare(tmp_path, 4, by_epoch=False))
    assert names(tmp_path) == ['iter_2.pth', 'iter_4.pth']


def evaluated(cfg):
    """Take each epoch for better than the one before."""
    cfg.default_hooks.checkpoint.update(save_best='coco/AP', rule='less')
    return cfg


def test_another_runs_best_checkpoint_stays(prepare, resume, monkeypatch, tmp_path):
    scores = iter([0.5, 0.4])
    monkeypatch.setattr(
        'mmengine.evaluator.Evaluator.evaluate',
        lambda self, size: {'coco/AP': next(scores)},
    )
    resume(evaluated(prepare(tmp_path / 'one', 1, evaluate=True)))
    best = tmp_path / 'one/best_coco_AP_epoch_1.pth'
    assert best.exists()
    cfg = evaluated(prepare(tmp_path / 'other', 2, evaluate=True))
    cfg.resume, cfg.load_from = True, str(tmp_path / 'one/epoch_1.pth')
    train(cfg)
    assert best.exists()
    assert (tmp_path / 'other/best_coco_AP_epoch_2.pth').exists()


@pytest.mark.parametrize('fails', [False, True])
def test_the_best_checkpoint(prepare, resume, monkeypatch, tmp_path, fails):
    """The one before goes after the new one is there, and stays if that fails."""
    scores, replace = iter([0.5, 0.4]), writing.os.replace
    monkeypatch.setattr(
        'mmengine.evaluator.Evaluator.evaluate',
        lambda self, size: {'coco/AP': next(scores)},
    )
    one, other = (tmp_path / f'best_coco_AP_epoch_{k}.pth' for k in (1, 2))

    def refuse(source, target):
        if fails and Path(target) == other:
            raise OSError(errno.ENOSPC, 'No space left on device')
        assert one.exists() or Path(target) != other
        replace(source, target)

    monkeypatch.setattr(writing.os, 'replace', refuse)
    resume(evaluated(prepare(tmp_path, 2, evaluate=True)))
    assert (one.exists(), other.exists()) == (fails, not fails)
    known = read_checkpoint(str(tmp_path / 'epoch_2.pth'))['message_hub']
    best = one if fails else other
    assert known['runtime_info']['best_ckpt'] == str(best)
    assert known['runtime_info']['best_score'] == (0.5 if fails else 0.4)


def test_the_resumed_one_is_the_last_good_one(prepare, watch, resume, tmp_path):
    cfg = prepare(tmp_path / 'old', 2)
    watch(cfg, 'after_train_iter', at(3))
    train_interrupted(cfg)
    (tmp_path / 'old').rename(tmp_path / 'new')
    cfg = prepare(tmp_path / 'new', 2)

    def spoil(runner, outputs, **given):
        outputs['loss'] = outputs['loss'] * float('nan')

    watch(cfg, 'after_train_iter', spoil)
    with pytest.raises(UserError) as ended:
        resume(cfg)
    last = tmp_path / 'new/iter_3.pth'
    assert f'the last good checkpoint is {last}.' in str(ended.value)


def test_a_full_disk_after_a_resume(prepare, resume, monkeypatch, tmp_path):
    resume(prepare(tmp_path, 1))
    replace = writing.os.replace

    def refuse(source, target):
        if Path(target).suffix == '.pth':
            raise OSError(errno.ENOSPC, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(writing.os, 'replace', refuse)
    with pytest.raises(UserError) as ended:
        resume(prepare(tmp_path, 2))
    assert f'whole checkpoint is {tmp_path}/epoch_1.pth: make' in str(ended.value)


def test_checkpoints_in_another_folder(prepare, resume, tmp_path):
    def prepared(length):
        cfg = prepare(tmp_path / 'work', length)
        cfg.default_hooks.checkpoint.out_dir = str(tmp_path / 'out')
        return cfg

    resume(prepared(2))
    one, two = (tmp_path / f'out/work/epoch_{k}.pth' for k in (1, 2))
    assert newest_checkpoint(tmp_path / 'work') == (two, [])
    two.write_bytes(two.read_bytes()[:-9])
    assert newest_checkpoint(tmp_path / 'work') == (one, [two])
    two.unlink()
    assert newest_checkpoint(tmp_path / 'work') == (one, [])
    # A run before this one had its checkpoints in the work folder itself.
    shutil.copy(one, two)
    shutil.copy(one, tmp_path / 'work/epoch_2.pth')
    assert newest_checkpoint(tmp_path / 'work') == (two, [])


def test_a_copied_folder_goes_on_with_its_own(tmp_path):
    old, new = tmp_path / 'old', tmp_path / 'new'
    old.mkdir()
    torch.save(dict(state_dict=dict(w=torch.rand(3))), old / 'epoch_1.pth')
    (old / LAST).write_text(str(old / 'epoch_1.pth'))
    shutil.copytree(old, new)
    assert newest_checkpoint(new) == (new / 'epoch_1.pth', [])
    shutil.rmtree(old)
    assert newest_checkpoint(new) == (new / 'epoch_1.pth', [])


def test_what_cannot_be_resumed_from_is_passed_over(prepare, watch, resume, tmp_path):
    def prepared(length):
        cfg = prepare(tmp_path, length)
        cfg.default_hooks.checkpoint.save_optimizer = False
        return cfg

    cfg = prepared(2)
    watch(cfg, 'after_train_iter', at(3))
    train_interrupted(cfg)
    resume(prepared(2))
    # What can be resumed from stays, since nothing of the kind has followed.
    assert names(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'iter_3.pth']
    cfg, begun = prepared(2), []
    watch(cfg, 'before_train_iter', lambda runner, **given: begun.append(runner.iter))
    resume(cfg)
    assert begun == [3]


def test_averages_that_are_no_numbers_are_not_saved(prepare, watch, tmp_path):
    cfg = prepare(tmp_path, 1)
    cfg.custom_hooks = [dict(type='EMAHook')]

    def spoil(runner, **given):
        (averages,) = (x.ema_model for x in runner.hooks if hasattr(x, 'ema_model'))
        list(averages.module.parameters())[-1].data[0] = float('inf')

    watch(cfg, 'after_train_iter', spoil, priority='LOWEST')
    with pytest.raises(UserError, match=r'the first is averaged .*: nothing is saved'):
        train(cfg)
    assert not names(tmp_path)


@pytest.mark.parametrize('number', [errno.EACCES, errno.EIO])
def test_a_file_that_may_not_be_written(prepare, tmp_path, number):
    """Those of the run; others may be data that cannot be read."""
    cfg = prepare(tmp_path / 'work', 1)
    cfg.default_hooks.checkpoint.out_dir = str(tmp_path / 'out')
    for name in ('work/x/y.log', 'out/work/epoch_1.pth', 'out/work'):
        refused = OSError(number, os.strerror(number), str(tmp_path / name))
        line = f'{tmp_path / name} could not be written: {os.strerror(number)}'
        with pytest.raises(UserError, match=line), disk_errors(cfg):
            raise refused
    for name in ('data.jpg', 'out/data.jpg'):  # which cannot be read
        refused = OSError(number, os.strerror(number), str(tmp_path / name))
        with pytest.raises(OSError, match=r'data\.jpg'), disk_errors(cfg):
            raise refused


def test_a_full_disk_that_does_not_say_where(prepare, tmp_path):
    """COCO's metric writes into the temporary folder."""
    cfg = prepare(tmp_path / 'work', 1)
    places = f'a file in {tmp_path}/work or in {gettempdir()}, the temporary folder,'
    line = f'{places} could not be written: No space left'
    with pytest.raises(UserError, match=line), disk_errors(cfg):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_store_that_is_no_disk_keeps_its_backend():
    assert WholeCheckpointHook(out_dir='s3://bucket/x').backend_args is None
    assert WholeCheckpointHook(out_dir='/mnt/x').backend_args is not None


@pytest.mark.parametrize('there', [False, True])
def test_without_anything_to_resume_training_starts_as_it_says(
    prepare, run_tool, people, tmp_path, there
):
    """Requeued jobs always say --resume."""
    train(prepare(tmp_path / 'start', 1))
    start = tmp_path / 'start/epoch_1.pth'
    if there:
        shutil.copytree(tmp_path / 'start', tmp_path / 'work')
    done = run_tool(
        'train.py', narrow(CONFIG, tmp_path), '--work-dir', tmp_path / 'work',
        '--resume', '--no-validate', '--cfg-options', f'load_from={start}',
        *options(people, 2),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert ('resumed epoch: 1, iter: 2' in said) == there
    assert (f'Load checkpoint from {start}' in said) == (not there)
