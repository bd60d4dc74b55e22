"""SIGTERM: what is saved, and how a run goes on after it."""

import os
import re
import signal
import time
from pathlib import Path
from types import MethodType

import pytest
from interruptions import at, train_interrupted
from mmengine.runner import Runner
from mmpose.datasets import CocoDataset
from runs import BATCHES, STEP, assert_same, command, start, wait_for, weights

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.engine import drawing, launch, preemption
from litehrnet_mm.engine.whole_files import newest_checkpoint


@pytest.mark.parametrize('workers', [0, 2])
def test_sigterm_to_all_processes_saves(people, tmp_path, workers):
    """Slurm sends it to each, also to those that load data."""
    log, work = tmp_path / 'log.txt', tmp_path / 'work'
    words = [*command(people, work, 400), f'train_dataloader.num_workers={workers}']
    run = start(words, log, start_new_session=True)
    assert wait_for(run, log, lambda: len(STEP.findall(log.read_text())) > 4)
    end = time.monotonic() + 30
    while run.poll() is None and time.monotonic() < end:
        os.killpg(run.pid, signal.SIGTERM)  # again and again, until it has ended
        time.sleep(0.05)
    assert run.wait(timeout=1) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()
    (name,) = re.findall(r'saved (iter_\d+\.pth); --resume', log.read_text())
    assert newest_checkpoint(work) == (work / name, [])
    meta = read_checkpoint(str(work / name))['meta']
    assert 4 < meta['iter'] == int(name[5:-4]) < 400 * BATCHES


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('iteration', [5, 8])
def test_the_run_goes_on_as_if_nothing_had_been(
    prepare, watch, resume, tmp_path, by_epoch, iteration
):
    """In the midst of an epoch and at its end: the same images, the same weights."""
    length = 3 if by_epoch else 12
    alone, seen = [], []

    def prepared(name):
        cfg = prepare(tmp_path / name, length, by_epoch=by_epoch)
        cfg.train_dataloader.batch_size = 1
        return cfg

    def note(images):
        def add(runner, data_batch, **given):
            ids = [sample.img_id for sample in data_batch['data_samples']]
            images.append((runner.iter, ids))

        return add

    cfg = prepared('alone')
    watch(cfg, 'before_train_iter', note(alone))
    resume(cfg)
    cfg = prepared('work')
    watch(cfg, 'before_train_iter', note(seen))
    watch(cfg, 'after_train_iter', at(iteration))
    train_interrupted(cfg)
    assert newest_checkpoint(tmp_path / 'work')[0].name == f'iter_{iteration}.pth'
    cfg = prepared('work')
    watch(cfg, 'before_train_iter', note(seen))
    resume(cfg)
    assert len(alone) == 12
    assert seen == alone
    last = f'epoch_{length}.pth' if by_epoch else f'iter_{length}.pth'
    assert_same(tmp_path / 'alone' / last, tmp_path / 'work' / last)


@pytest.mark.parametrize('averaged', [False, True])
def test_sigterm_while_evaluating(prepare, watch, resume, tmp_path, averaged):
    cfg = prepare(tmp_path, 2, evaluate=True)
    cfg.default_hooks.checkpoint.interval = -1
    cfg.default_hooks.checkpoint.save_last = False
    if averaged:
        cfg.custom_hooks = [dict(type='EMAHook', momentum=0.5)]
    kept = {}

    def keep(runner, **given):
        state = runner.model.state_dict()
        kept.update({key: value.clone() for key, value in state.items()})

    def send(runner, batch_idx, **given):
        if batch_idx == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    watch(cfg, 'after_train_epoch', keep)
    watch(cfg, 'before_val_iter', send)
    train_interrupted(cfg)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_2.pth', [])
    content = read_checkpoint(str(tmp_path / 'iter_2.pth'))
    assert (content['meta']['epoch'], content['meta']['iter']) == (1, 2)
    # What is trained is under another name where averages are what is used.
    saved = weights(tmp_path / 'iter_2.pth')
    if averaged:
        found = content['ema_state_dict'].items()
        saved = {k[7:]: value for k, value in found if k.startswith('module.')}
    assert saved.keys() == kept.keys()
    assert all(value.equal(kept[key]) for key, value in saved.items())


def test_sigterm_at_once(people, tmp_path):
    """As soon as it listens, before PyTorch is imported."""
    log = tmp_path / 'log.txt'
    run = start(command(people, tmp_path / 'work', 1), log)

    def listens():
        status = Path(f'/proc/{run.pid}/status').read_text()
        caught = int(re.search(r'SigCgt:\s+(\w+)', status)[1], 16)
        return caught >> (signal.SIGTERM - 1) & 1

    assert wait_for(run, log, listens)
    run.terminate()
    assert run.wait(timeout=30) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


def test_sigterm_before_training(prepare, monkeypatch, tmp_path, capsys):
    def build(cfg):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError('it went on')

    monkeypatch.setattr(launch, 'build_runner', build)
    train_interrupted(prepare(tmp_path, 1))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN  # it may come twice
    assert 'SIGTERM: ended, and nothing was new' in capsys.readouterr().out


def test_sigterm_to_a_runner_of_mmengine(prepare, watch, tmp_path):
    """The hooks do without tools/train.py."""
    cfg = prepare(tmp_path, 1)
    cfg.default_hooks.checkpoint.type = 'litehrnet_mm.WholeCheckpointHook'
    cfg.custom_hooks = [dict(type='litehrnet_mm.PreemptionHook')]
    watch(cfg, 'after_train_iter', at(1))
    with pytest.raises(SystemExit) as ended:
        Runner.from_cfg(cfg).train()
    assert ended.value.code == 0
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_1.pth', [])


def test_sigterm_without_a_hook_that_saves(prepare, watch, tmp_path, capsys):
    cfg = prepare(tmp_path, 1)
    cfg.default_hooks.checkpoint = None
    watch(cfg, 'after_train_iter', at(1))
    train_interrupted(cfg)
    assert 'no checkpoint hook of ours, so nothing is saved' in capsys.readouterr().out
    assert not [*tmp_path.glob('*.pth')]


def test_sigterm_while_the_first_images_are_loaded(
    prepare, watch, monkeypatch, tmp_path
):
    """Where one process still loads them, others are waiting for it."""
    cfg, load = prepare(tmp_path, 1), CocoDataset.prepare_data

    def send(dataset, index):
        os.kill(os.getpid(), signal.SIGTERM)
        return load(dataset, index)

    monkeypatch.setattr(CocoDataset, 'prepare_data', send)
    train_interrupted(cfg)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_1.pth', [])


def test_processes_come_together_before_they_listen(prepare, monkeypatch, tmp_path):
    before = []

    def ask(flag):
        before.append(signal.getsignal(signal.SIGTERM))
        return flag

    monkeypatch.setattr(preemption, 'any_process', ask)
    launch.train(prepare(tmp_path, 1))
    listening = [isinstance(x, MethodType) for x in before]
    assert listening == [False, *[True] * BATCHES]


def test_sigterm_while_pictures_are_drawn(prepare, monkeypatch, tmp_path):
    """They may be thousands."""
    cfg, drawn = prepare(tmp_path / 'work', 1, evaluate=True), []
    out = str(tmp_path / 'pictures')
    cfg.custom_hooks = [dict(type='litehrnet_mm.DrawPosesHook', out_dir=out)]

    def draw(path, picture):
        drawn.append(path)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(drawing, 'write_image', draw)
    train_interrupted(cfg)
    assert len(drawn) == 1
    assert newest_checkpoint(tmp_path / 'work')[0].name == 'iter_2.pth'
