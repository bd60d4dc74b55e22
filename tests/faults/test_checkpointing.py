"""What checkpoints hold, which of them stay, and what is said of those that fail."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest
from interruptions import raising, train_interrupted
from mmengine.runner import Runner
from running import forget_runs
from runs import assert_same, names

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine import checkpointing, replacing, storing
from litehrnet_mm.engine.launch import train


@pytest.fixture
def refuse(monkeypatch):
    """Let a file not get its name for such a time, by an error: ``refuse('x', 2)``."""

    def refused(name: str, time: int, error: BaseException | None = None) -> None:
        tried, replace = [], os.replace

        def rename(source, target):
            if Path(target).name == name:
                tried.append(target)
                if len(tried) == time:
                    raise error or OSError(errno.ENOSPC, 'No space left on device')
            replace(source, target)

        monkeypatch.setattr(os, 'replace', rename)

    return refused


@pytest.fixture
def score(monkeypatch):
    """Have evaluations give such scores, of which the least is the best."""
    done = []

    def scored(*scores: float) -> list[float]:
        left = iter(scores)

        def evaluate(self, size):
            done.append(next(left))
            return {'coco/AP': done[-1]}

        monkeypatch.setattr('mmengine.evaluator.Evaluator.evaluate', evaluate)
        return done

    return scored


@pytest.fixture
def prepare_best(prepare, tmp_path):
    """The config of a run that keeps its best checkpoint."""

    def prepared(length, folder='work'):
        cfg = prepare(tmp_path / folder, length, evaluate=True)
        cfg.default_hooks.checkpoint.update(save_best='coco/AP', rule='less')
        return cfg

    return prepared


def test_a_score_that_cannot_be_saved(prepare_best, score, refuse, resume, tmp_path):
    """What was saved before the evaluation is there; the best of its score, too."""
    work = tmp_path / 'work'
    score(0.5, 0.4)
    refuse('epoch_2.pth', 2)
    resume(prepare_best(2))
    best = [f'best_coco_AP_epoch_{k}.pth' for k in (1, 2)]
    assert names(work) == [*best, 'epoch_1.pth', 'epoch_2.pth']
    known = read_checkpoint(str(work / 'epoch_2.pth'))['message_hub']['runtime_info']
    assert known['best_ckpt'] == str(work / best[0])
    (log,) = work.glob('*/*.log')
    assert 'the new best score in epoch_2.pth could not be saved' in log.read_text()


def test_the_best_one_before_goes_with_the_next_save(
    prepare_best, score, refuse, resume, tmp_path
):
    score(0.5, 0.4, 0.6)
    refuse('epoch_2.pth', 2)
    resume(prepare_best(3))
    saved = ['best_coco_AP_epoch_2.pth', 'epoch_2.pth', 'epoch_3.pth']
    assert names(tmp_path / 'work') == saved


def test_no_best_one_is_left_if_that_of_another_metric_fails(
    prepare_best, refuse, resume, monkeypatch, tmp_path
):
    scores = iter([0.5, 0.4])

    def evaluate(self, size):
        score = next(scores)
        return {'coco/AP': score, 'coco/AR': score}

    monkeypatch.setattr('mmengine.evaluator.Evaluator.evaluate', evaluate)
    refuse('best_coco_AR_epoch_2.pth', 1)
    cfg = prepare_best(2)
    cfg.default_hooks.checkpoint.save_best = ['coco/AP', 'coco/AR']
    resume(cfg)
    best = [f'best_coco_{x}_epoch_1.pth' for x in ('AP', 'AR')]
    assert names(tmp_path / 'work') == [*best, 'epoch_1.pth', 'epoch_2.pth']


@pytest.mark.parametrize('moment', ['evaluation', 'naming'])
def test_an_evaluation_that_was_killed_is_done(
    prepare_best, score, refuse, watch, resume, tmp_path, moment
):
    """Whether it had begun, or the best checkpoint was there without its score."""
    work = tmp_path / 'work'
    done = score(0.5, 0.4, 0.4)
    cfg = prepare_best(2)
    if moment == 'naming':
        refuse('epoch_2.pth', 2, KeyboardInterrupt())
    else:
        watch(cfg, 'before_val_iter', killing_in_epoch_2)
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    assert done == ([0.5, 0.4] if moment == 'naming' else [0.5])
    before = len(done)
    for _ in range(2):  # once only
        resume(prepare_best(2))
        assert len(done) == before + 1
    assert names(work) == ['best_coco_AP_epoch_2.pth', 'epoch_1.pth', 'epoch_2.pth']
    known = read_checkpoint(str(work / 'epoch_2.pth'))['message_hub']['runtime_info']
    assert known['best_score'] == 0.4


def killing_in_epoch_2(runner, **given):
    """End a run."""
    if runner.epoch == 2:
        raise KeyboardInterrupt


def test_an_evaluation_that_was_killed_is_done_before_training_goes_on(
    prepare, watch, resume, tmp_path
):
    resume(prepare(tmp_path / 'alone', 2, evaluate=True))
    cfg = prepare(tmp_path / 'work', 2, evaluate=True)
    watch(cfg, 'before_val_iter', raising(KeyboardInterrupt(), 3))
    forget_runs()
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    cfg, done = prepare(tmp_path / 'work', 2, evaluate=True), []
    watch(cfg, 'after_val', lambda runner, **given: done.append(runner.iter))
    resume(cfg)
    assert done == [2, 4]
    assert_same(tmp_path / 'alone/epoch_2.pth', tmp_path / 'work/epoch_2.pth')


@pytest.mark.parametrize('moment', ['regular', 'evaluation'])
def test_gradients_that_wait_are_in_checkpoints(
    prepare, watch, resume, tmp_path, moment
):
    def prepared(name, evaluate=False):
        cfg = prepare(tmp_path / name, 3, evaluate=evaluate)
        cfg.optim_wrapper.accumulative_counts = 4
        return cfg

    evaluate = moment == 'evaluation'
    resume(prepared('alone', evaluate))
    cfg = prepared('work', evaluate)
    forget_runs()
    if evaluate:
        watch(cfg, 'before_val_iter', lambda runner, **given: send())
        train_interrupted(cfg)
    else:
        watch(cfg, 'before_train_iter', raising(KeyboardInterrupt(), 3))
        with pytest.raises(KeyboardInterrupt):
            train(cfg)
    resume(prepared('work', evaluate))
    assert_same(tmp_path / 'alone/epoch_3.pth', tmp_path / 'work/epoch_3.pth')


def send() -> None:
    """SIGTERM to this process."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_gradients_of_another_run_are_not_gone_on_with(prepare, resume, tmp_path):
    cfg = prepare(tmp_path / 'one', 1)
    cfg.optim_wrapper.accumulative_counts = 4
    cfg.train_cfg.max_epochs = 2
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    resume(cfg)
    start = tmp_path / 'one/epoch_1.pth'
    assert read_checkpoint(str(start))['gradients']
    content = dict(read_checkpoint(str(start)))
    del content['gradients']
    ends = []
    for name in ('with', 'without'):
        forget_runs()
        cfg = prepare(tmp_path / name, 1)
        cfg.load_from = str(tmp_path / f'{name}.pth')
        if name == 'with':
            shutil.copy(start, cfg.load_from)
        else:
            checkpointing.save_checkpoint(content, cfg.load_from)
        train(cfg)
        ends.append(tmp_path / name / 'epoch_1.pth')
    assert_same(*ends)


def test_what_a_killed_run_had_yet_to_remove_goes(
    prepare, resume, monkeypatch, tmp_path
):
    with monkeypatch.context() as patch:
        hook = checkpointing.WholeCheckpointHook

        def killed(self, path):
            raise KeyboardInterrupt

        patch.setattr(hook, '_remove', killed)
        with pytest.raises(KeyboardInterrupt):
            train(prepare(tmp_path, 4))
    assert names(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
    resume(prepare(tmp_path, 3))
    assert names(tmp_path) == ['epoch_2.pth', 'epoch_3.pth']


def test_what_another_run_has_outdated_stays(prepare, resume, tmp_path):
    """Checkpoints of the same names in the folder of the run that resumes it."""
    forget_runs()
    train(prepare(tmp_path / 'one', 3))
    train_in = tmp_path / 'other'
    train_in.mkdir()
    (train_in / 'epoch_1.pth').write_bytes(b'mine')
    cfg = prepare(train_in, 3)
    cfg.resume, cfg.load_from = True, str(tmp_path / 'one/epoch_3.pth')
    forget_runs()
    train(cfg)
    assert (train_in / 'epoch_1.pth').read_bytes() == b'mine'


def test_the_last_good_one_where_mmengine_resumes(prepare, watch, tmp_path):
    """``--resume`` of MMPose's own script names no checkpoint."""

    def prepared(length):
        cfg = prepare(tmp_path, length)
        cfg.default_hooks.checkpoint.type = 'litehrnet_mm.WholeCheckpointHook'
        cfg.custom_hooks = [dict(type='litehrnet_mm.LossGuardHook')]
        return cfg

    forget_runs()
    Runner.from_cfg(prepared(1)).train()
    cfg = prepared(2)
    cfg.resume = True

    def spoil(runner, outputs, **given):
        outputs['loss'] = outputs['loss'] * float('nan')

    watch(cfg, 'after_train_iter', spoil)
    forget_runs()
    with pytest.raises(UserError) as ended:
        Runner.from_cfg(cfg).train()
    assert f'last good checkpoint is {tmp_path / "epoch_1.pth"}.' in str(ended.value)


def test_what_another_process_could_not_save(prepare, monkeypatch, watch, tmp_path):
    """It is not the last good one here either."""
    cfg, found = prepare(tmp_path, 1), []
    monkeypatch.setattr(replacing, 'greatest', lambda number: errno.ENOSPC)

    def look(runner, **given):
        found.append(runner.message_hub.runtime_info.get('last_ckpt'))

    watch(cfg, 'after_train', look)
    with pytest.raises(UserError, match=r'epoch_1\.pth could not be saved: No space'):
        train(cfg)
    assert found == [None]


def test_what_is_published_is_whole(prepare, refuse, monkeypatch, tmp_path):
    cfg = prepare(tmp_path, 1)
    cfg.default_hooks.checkpoint.published_keys = ['meta', 'state_dict']
    renamed, replace = [], os.replace

    def rename(source, target):
        renamed.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, 'replace', rename)
    train(cfg)
    (path,) = tmp_path.glob('epoch_1-*.pth')
    assert path.name in renamed
    assert read_checkpoint(str(path)).keys() == {'meta', 'state_dict'}
    assert_same(tmp_path / 'epoch_1.pth', path)


def test_a_folder_for_checkpoints_that_cannot_be_made(prepare, tmp_path):
    (tmp_path / 'file').touch()
    cfg, begun = prepare(tmp_path / 'work', 1), tmp_path / 'file/out'
    cfg.default_hooks.checkpoint.out_dir = str(begun)
    line = f'cannot write to the folder for checkpoints, {begun}/work: Not a directory'
    with pytest.raises(UserError, match=line):
        train(cfg)


@pytest.mark.parametrize('settings', [{}, {'backend': 'local'}, {'backend': 'disk'}])
@pytest.mark.parametrize('name', ['backend_args', 'file_client_args'])
def test_what_is_said_to_be_on_a_disk_is_whole_there(name, settings):
    hook = checkpointing.WholeCheckpointHook(**{name: settings})
    assert hook.backend_args == dict(backend=storing.BACKEND)
    assert hook.file_client_args is None
    hook = checkpointing.WholeCheckpointHook(**{name: dict(backend='petrel')})
    assert getattr(hook, name) == dict(backend='petrel')
