"""The scripts for Slurm, with a stand-in for ``srun``."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.dist import init_dist

from litehrnet_mm.engine.config_file import load_config

SRUN = '#!/bin/sh\nprintf "%s\\n" "$@"\n'
CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'


def call(repository, tmp_path, *words: str, **variables: str) -> list[str]:
    """What srun would be called with."""
    srun = tmp_path / 'srun'
    srun.write_text(SRUN)
    srun.chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    done = subprocess.run(
        [repository / 'tools' / words[0], *words[1:]],
        env={**os.environ, 'PATH': path, 'PYTHON': 'py', **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_task_for_each_gpu(repository, tmp_path):
    spaced = str(tmp_path / 'a config.py')
    Path(spaced).touch()
    said = call(
        repository, tmp_path, 'slurm_train.sh', 'long', 'pose', spaced, 'work',
        '--amp', GPUS='16', GPUS_PER_NODE='4', CPUS_PER_TASK='3',
        SRUN_ARGS='--time=9 --qos=low',
    )  # fmt: skip
    assert said == [
        *('--partition=long', '--job-name=pose', '--gres=gpu:4', '--ntasks=16'),
        *('--ntasks-per-node=4', '--cpus-per-task=3', '--kill-on-bad-exit=1'),
        *('--time=9', '--qos=low', 'py', '-u', f'{repository}/tools/train.py'),
        *(spaced, '--work-dir', 'work', '--amp', '--launcher', 'slurm'),
    ]


def test_fewer_gpus_than_a_node_has(repository, tmp_path):
    config = str(repository / CONFIG)
    said = call(
        repository, tmp_path, 'slurm_test.sh', 'any', 'job', config, 'x.pth', GPUS='2'
    )
    assert {'--gres=gpu:2', '--ntasks=2', '--ntasks-per-node=2'} < set(said)
    assert said[-5:] == [
        *(f'{repository}/tools/test.py', config, 'x.pth', '--launcher', 'slurm'),
    ]


@pytest.mark.parametrize(
    ('words', 'variables', 'said'),
    [
        (
            ('slurm_train.sh', 'a', 'b', 'c'),
            {},
            'needs PARTITION JOB_NAME CONFIG WORK_DIR',
        ),
        (('slurm_test.sh', 'a'), {}, 'needs PARTITION JOB_NAME CONFIG CHECKPOINT'),
        (('slurm_train.sh', 'a', 'b', 'no.py', 'w'), {}, 'config not found: no.py'),
        (('slurm_train.sh', 'a', 'b', CONFIG, 'w'), {'GPUS': 'x'}, "1, got 'x'"),
        (('slurm_train.sh', 'a', 'b', CONFIG, 'w'), {'GPUS': '0'}, "1, got '0'"),
        (('slurm_train.sh', 'a', 'b', CONFIG, 'w'), {'GPUS': '12'}, 'no multiple of'),
        (('slurm_train.sh', 'a', 'b', CONFIG, 'w'), {}, 'srun not found'),
        (('dist_train.sh', CONFIG), {}, 'needs CONFIG GPUS'),
        (('dist_train.sh', CONFIG, 'two'), {}, 'GPUS must be a whole number'),
        (('dist_train.sh', 'no.py', '2'), {}, 'config not found: no.py'),
        (('dist_test.sh', CONFIG, '2'), {}, 'needs CONFIG CHECKPOINT GPUS'),
    ],
)
def test_mistakes(repository, tmp_path, words, variables, said):
    """One line, before anything is queued or started."""
    if variables:
        (tmp_path / 'srun').write_text(SRUN)
        (tmp_path / 'srun').chmod(0o755)
    done = subprocess.run(
        [repository / 'tools' / words[0], *words[1:]],
        cwd=repository,
        env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith('error: ')
    assert said in line
    assert not done.stdout


@pytest.mark.parametrize('port', ['29555', None])
def test_the_port_of_a_job(repository, monkeypatch, port):
    """MMEngine reads it, which starts the processes as the config says."""
    started = []

    def start(backend, **_):
        names = ('MASTER_ADDR', 'MASTER_PORT', 'RANK', 'WORLD_SIZE')
        started.append([os.environ[name] for name in names])

    monkeypatch.setattr(torch.distributed, 'init_process_group', start)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda _: None)
    monkeypatch.setattr(subprocess, 'getoutput', lambda _: 'first')
    monkeypatch.setattr(torch.multiprocessing, 'set_start_method', lambda _: None)
    usual = {k: x for k, x in os.environ.items() if not k.startswith('MASTER_')}
    task = dict(
        SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_NODELIST='n', SLURM_LOCALID='1'
    )
    asked = dict(MASTER_PORT=port) if port else {}
    with mock.patch.dict(os.environ, {**usual, **task, **asked}, clear=True):
        init_dist('slurm', **load_config(str(repository / CONFIG), {}).env_cfg.dist_cfg)
    assert started == [['first', port or '29500', '3', '4']]


def test_without_gpus(repository, tmp_path):
    """What a task does where the cluster gave it none."""
    done = subprocess.run(
        [sys.executable, repository / 'tools/train.py', CONFIG, '--launcher', 'slurm',
         '--work-dir', tmp_path],
        cwd=repository,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'SYNTHETIC_ROOT': 'no'},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert 'error: --launcher slurm needs GPUs' in done.stderr
