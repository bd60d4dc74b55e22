"""What a training starts from, in this process and as a config in the work folder."""

from __future__ import annotations

import os
import re
import runpy
import sys

import pytest
import torch
from mmengine.config import Config
from running import forget_runs

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine import launch, starting
from litehrnet_mm.engine.launch import test as evaluate
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.preemption import PreemptibleRunner
from litehrnet_mm.engine.starting import check_same_start

GUARDS = ('PreemptionHook', 'LossGuardHook', 'SkipSeenHook', 'ReseedHook')


def written(cfg: Config) -> Config:
    """The config that a run wrote into its folder."""
    found = Config.fromfile(os.path.join(cfg.work_dir, os.path.basename(cfg.filename)))
    found.launcher = 'none'
    return found


@pytest.fixture
def hooks_of(monkeypatch):
    """The types of the hooks that a run gets beside MMEngine's."""

    def start(cfg: Config) -> list[str]:
        def build(cfg):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(launch, 'build_runner', build)
            with pytest.raises(KeyboardInterrupt):
                train(cfg)
        return [hook['type'] for hook in cfg.custom_hooks]

    return start


def test_hooks_that_a_config_has_are_not_added(prepare, hooks_of, tmp_path):
    """It may be one that a run wrote, or have them as docs/reliability.md says."""
    cfg = prepare(tmp_path, 1)
    added = hooks_of(cfg)
    assert [name.split('.')[1] for name in added[-4:]] == [*GUARDS]
    cfg.dump(tmp_path / 'again.py')
    again = Config.fromfile(tmp_path / 'again.py')
    assert hooks_of(again) == added
    cfg = prepare(tmp_path, 1)
    cfg.custom_hooks = [dict(type='litehrnet_mm.SkipSeenHook')]
    assert sorted(hooks_of(cfg)) == sorted(added[-4:])


def test_the_written_config_is_not_bound_to_what_was_resumed(
    prepare, monkeypatch, tmp_path
):
    """What the config says of itself stays, and the run's own record tells the rest."""
    train(prepare(tmp_path, 1))
    start = str(tmp_path / 'epoch_1.pth')
    monkeypatch.setattr(PreemptibleRunner, 'train', lambda self: None)
    for resume, load_from, kept in (
        ('auto', None, (False, None)),
        ('auto', '/nowhere/x.pth', (False, '/nowhere/x.pth')),
        (start, None, (False, None)),
        (True, None, (True, None)),
        (False, start, (False, start)),
    ):
        for told in tmp_path.glob('*/vis_data/config.py'):
            told.unlink()
        forget_runs()
        cfg = prepare(tmp_path, 2)
        cfg.resume, cfg.load_from = resume, load_from
        train(cfg)
        assert (written(cfg).resume, written(cfg).load_from) == kept
        (told,) = map(Config.fromfile, tmp_path.glob('*/vis_data/config.py'))
        assert (told.resume, told.load_from) == (bool(resume), start)


def test_the_config_of_a_resumed_training_evaluates(prepare, tmp_path):
    """It has no need of what the training had, nor does a file of weights."""
    cfg = prepare(tmp_path, 1, evaluate=True)
    train(cfg)
    weights = tmp_path / 'weights.pth'
    content = read_checkpoint(str(tmp_path / 'epoch_1.pth'))
    torch.save(content['state_dict'], weights)
    again = written(cfg)
    again.resume, again.load_from = True, str(weights)
    for kind in ('dataloader', 'evaluator', 'cfg'):
        again[f'test_{kind}'] = again[f'val_{kind}'] if kind != 'cfg' else dict()
    again.train_dataloader.dataset.data_root = '/nowhere'
    forget_runs()
    evaluate(again, False, False)
    assert (written(cfg).resume, written(cfg).load_from) == (False, str(weights))


@pytest.mark.parametrize(
    ('optimizer', 'words'),
    [
        (dict(type='SGD', lr=0.1), 'without dampening, momentum'),
        (None, 'parameter group'),
    ],
    ids=['kind', 'groups'],
)
def test_another_optimizer(prepare, tmp_path, optimizer, words):
    train(prepare(tmp_path, 1))
    forget_runs()
    cfg = prepare(tmp_path, 2)
    if optimizer is not None:
        cfg.optim_wrapper.optimizer = optimizer
    else:
        cfg.optim_wrapper.paramwise_cfg = dict(bias_lr_mult=2)
    cfg.resume = str(tmp_path / 'epoch_1.pth')
    with pytest.raises(UserError, match=f'is of another optimizer.*{words}') as ended:
        train(cfg)
    assert f'load_from={tmp_path}/epoch_1.pth' in str(ended.value)


def test_schedules_without_a_state(prepare, tmp_path, capsys):
    """The warm-up starts again, which is said; another optimizer may go on."""
    cfg = prepare(tmp_path, 1)
    cfg.default_hooks.checkpoint.save_param_scheduler = False
    train(cfg)
    assert len(cfg.param_scheduler) == 2
    forget_runs()
    cfg = prepare(tmp_path, 2)
    cfg.optim_wrapper.optimizer.type = 'AdamW'
    cfg.resume = 'auto'
    train(cfg)
    assert 'the state of 0 schedules of the learning rate, and the config has 2' in (
        capsys.readouterr().out
    )


def test_what_stops_a_run_early_counts_anew(prepare, tmp_path, capsys):
    """MMEngine does not save it, which is said."""
    train(prepare(tmp_path, 1))
    forget_runs()
    cfg = prepare(tmp_path, 1)
    stop = dict(type='EarlyStoppingHook', monitor='coco/AP', rule='greater')
    cfg.custom_hooks = [stop]
    cfg.resume = 'auto'
    train(cfg)
    assert 'EarlyStoppingHook counts anew from here' in capsys.readouterr().out


def of_rank_1(iteration: int, path: str = 'b.pth') -> tuple:
    """What another process tells of the checkpoint that it starts from."""
    return (True, 6, [iteration, 'today'], path)


@pytest.mark.parametrize(
    ('other', 'said'),
    [
        (of_rank_1(2), None),
        (of_rank_1(3), 'b.pth after iteration 3'),
        ((False, None, [], None), 'no checkpoint'),
    ],
    ids=['same', 'another', 'none'],
)
def test_processes_start_from_the_same(monkeypatch, tmp_path, other, said):
    """By whatever path they have it."""
    path = tmp_path / 'a.pth'
    path.write_bytes(b'6bytes')
    meta = dict(iter=2, time='today')
    monkeypatch.setattr(starting, 'all_gather_object', lambda mine: [mine, other])
    start = (str(path), dict(meta=meta), True)
    if said is None:
        check_same_start(*start)
    else:
        line = f'first one from {path} after iteration 2, process 1 from {said}; have'
        with pytest.raises(UserError, match=re.escape(line)):
            check_same_start(*start)


@pytest.mark.parametrize(
    ('backend', 'error', 'left'),
    [
        ('gloo', None, True),
        ('gloo', SystemExit(0), True),
        ('gloo', UserError('x'), True),
        ('nccl', None, True),
        ('nccl', UserError('x'), False),
    ],
)
def test_processes_part_at_every_end(
    prepare, monkeypatch, tmp_path, backend, error, left
):
    """But NCCL would wait for others, of which an error may be no end."""
    done, group = [], torch.distributed
    monkeypatch.setattr(group, 'is_initialized', lambda: True)
    monkeypatch.setattr(group, 'get_backend', lambda: backend)
    monkeypatch.setattr(group, 'destroy_process_group', lambda: done.append(1))

    def end(cfg):
        if error is not None:
            raise error

    monkeypatch.setattr(launch, '_train', end)
    cfg = prepare(tmp_path, 1)
    if error is None:
        train(cfg)
    else:
        with pytest.raises(type(error)):
            train(cfg)
    assert bool(done) == left


def test_sigterm_while_a_config_is_read(repository, monkeypatch, tmp_path):
    """There is nothing to save: it is no fault of the config."""
    config, said = tmp_path / 'x.py', tmp_path / 'said.txt'
    config.write_text("__import__('os').kill(__import__('os').getpid(), 15)\n")
    monkeypatch.setattr(sys, 'argv', ['train.py', str(config)])
    child = os.fork()
    if not child:
        status = 9
        try:
            sys.stderr = said.open('w')
            runpy.run_path(str(repository / 'tools/train.py'), run_name='__main__')
        except SystemExit as ended:
            status = ended.code
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert said.read_text() == ''
