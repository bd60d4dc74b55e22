"""``tools/dist_train.sh`` and ``tools/dist_test.sh`` on two processes of the CPU."""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
import sys

import pytest
import torch
from running import narrow

from litehrnet_mm.datasets import make_people
from litehrnet_mm.datasets.streets import make_streets
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config

STREETS_CONFIG = 'configs/seg/synthetic/fcn_litehrnet-18_1xb4-2000_synthetic-128x256.py'
CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """A few synthetic people to train on and to evaluate on."""
    root = tmp_path_factory.mktemp('people')
    make_people(root / 'train', 8, seed=0, persons=(2, 2))
    make_people(root / 'val', 5, seed=1, persons=(1, 1))
    return root


@pytest.fixture(scope='module')
def config(repository, tmp_path_factory):
    """The config of a small net for them."""
    return narrow(repository / CONFIG, tmp_path_factory.mktemp('configs'))


def options(root) -> list[str]:
    splits = ('train', 'val', 'test')
    found = [f'{split}_dataloader.dataset.data_root={root}/' for split in splits]
    annotations = f'{root}/val/annotations/person_keypoints.json'
    return [
        *found,
        *(f'{split}_evaluator.ann_file={annotations}' for split in splits[1:]),
        *(f'{split}_dataloader.num_workers=0' for split in splits),
        *(f'{split}_dataloader.persistent_workers=False' for split in splits),
        'train_dataloader.batch_size=2',
        'train_cfg.max_epochs=1',
        'default_hooks.logger.interval=1',
    ]


def run(repository, script: str, *arguments, env: dict[str, str] | None = None) -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [repository / 'tools' / script, *map(str, arguments)],
        cwd=repository,
        env={**os.environ, 'PYTHON': sys.executable, 'PORT': str(port), **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ('variables', 'said'),
    [
        ({}, ['1', '0', '127.0.0.1', '29500']),
        (
            dict(NNODES='3', NODE_RANK='2', MASTER_ADDR='10.0.0.1', PORT='29999'),
            ['3', '2', '10.0.0.1', '29999'],
        ),
    ],
)
def test_what_torchrun_is_told(repository, tmp_path, variables, said):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    read = ('NNODES', 'NODE_RANK', 'MASTER_ADDR', 'PORT')
    usual = {name: x for name, x in os.environ.items() if name not in read}
    done = subprocess.run(
        [repository / 'tools/dist_train.sh', repository / CONFIG, '4', '--amp'],
        env={**usual, 'PYTHON': str(python), **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    options = ('nnodes', 'node-rank', 'master-addr', 'master-port')
    assert done.stdout.splitlines() == [
        *('-m', 'torch.distributed.run'),
        *(f'--{option}={value}' for option, value in zip(options, said)),
        *('--nproc-per-node=4', f'{repository}/tools/train.py'),
        *(str(repository / CONFIG), '--amp', '--launcher', 'pytorch'),
    ]


def test_two_processes_train(repository, config, people, tmp_path):
    log = run(
        repository, 'dist_train.sh', config, 2, '--work-dir', tmp_path,
        '--no-validate', '--cfg-options', *options(people),
    )  # fmt: skip
    steps = re.findall(r'Epoch\(train\) +\[1\]\[(\d)/(\d)\]', log)
    annotations = people / 'train/annotations/person_keypoints.json'
    persons = len(json.loads(annotations.read_text())['annotations'])
    total = persons // 4  # two processes with two images each
    assert steps == [(str(i + 1), str(total)) for i in range(total)]
    assert (tmp_path / 'epoch_1.pth').is_file()


# What is random is left out, and BatchNorm, which counts over a process's own images.
STEADY = """
_base_ = '{base}'
custom_imports = dict(imports=['litehrnet_mm', 'ranks'], allow_failed_imports=False)
custom_hooks = [dict(type='NoteRank', folder='{folder}')]
train_dataloader = dict(sampler=dict(shuffle=False))
model = dict(backbone=dict(norm_eval=True))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=10.0))
"""


def notes(repository, config, people, folder, processes: int) -> tuple[list, list]:
    """Steps and weights of each process, four images a step in all."""
    folder.mkdir()
    path = folder / 'steady.py'
    path.write_text(STEADY.format(base=config, folder=folder))
    batch = f'train_dataloader.batch_size={4 // processes}'
    run(
        repository, 'dist_train.sh', path, processes, '--work-dir', folder,
        '--no-validate', '--cfg-options', *options(people), batch,
        'train_dataloader.dataset.pipeline.2.prob=0.0',  # RandomFlip
        env={'PYTHONPATH': f'{repository / "tests"}:{repository}'},
    )  # fmt: skip
    ranks = range(processes)
    steps = [json.loads((folder / f'rank_{k}.json').read_text()) for k in ranks]
    return steps, [torch.load(folder / f'rank_{k}.pth') for k in ranks]


def test_two_processes_learn_as_one_does(repository, config, people, tmp_path):
    (alone,), (expected,) = notes(repository, config, people, tmp_path / 'one', 1)
    steps, (first, second) = notes(repository, config, people, tmp_path / 'two', 2)
    assert len(alone) == 4
    for whole, *parts in zip(alone, *steps, strict=True):
        together = [image for part in parts for image in part['images']]
        assert sorted(together) == sorted(whole['images'])
        mean = sum(part['loss'] for part in parts) / 2
        assert mean == pytest.approx(whole['loss'], rel=1e-5)
    assert alone[0]['loss'] != alone[-1]['loss']
    for name, weight in expected.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], weight, rtol=1e-4, atol=1e-6)


def evaluate(repository, run_tool, processes: int, config, weights, *words) -> str:
    """Evaluate in processes, or in one that is not distributed; what was said."""
    if processes > 1:
        return run(repository, 'dist_test.sh', config, weights, processes, *words)
    done = run_tool('test.py', config, weights, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_evaluation_is_shared_out(repository, config, people, run_tool, tmp_path):
    """Five images and more persons: an odd number for two processes."""
    weights = tmp_path / 'random.pth'
    torch.manual_seed(0)
    cfg = load_config(str(config), {})
    torch.save(dict(state_dict=build_model(cfg, str(config)).state_dict()), weights)
    found = []
    for processes in (1, 2):
        dump, metrics = (tmp_path / f'{processes}.{kind}' for kind in ('pkl', 'json'))
        words = [
            '--dump', dump, '--metrics', metrics, '--work-dir', tmp_path,
            '--cfg-options', *options(people), 'test_dataloader.batch_size=2',
        ]  # fmt: skip
        log = evaluate(repository, run_tool, processes, config, weights, *words)
        assert len(re.findall(r'coco/AP: ', log)) == 1
        samples = pickle.loads(dump.read_bytes())
        found.append(([x['id'] for x in samples], json.loads(metrics.read_text())))
    annotations = people / 'val/annotations/person_keypoints.json'
    persons = [x['id'] for x in json.loads(annotations.read_text())['annotations']]
    assert len(persons) % 2
    assert found[0][0] == found[1][0]
    assert sorted(found[0][0]) == sorted(persons)
    assert found[0][1] == found[1][1]


def test_two_processes_segment(repository, run_tool, tmp_path, monkeypatch):
    """SyncBN, which needs GPUs, becomes BN; each class is counted over both."""
    root = tmp_path / 'streets'
    for split, seed in (('train', 0), ('val', 1)):
        make_streets(root, 4, seed, split=split)
    monkeypatch.setenv('STREETS_ROOT', str(root))
    config = narrow(repository / STREETS_CONFIG, tmp_path)
    work = ('--work-dir', tmp_path / 'work')
    log = run(
        repository, 'dist_train.sh', config, 2, *work, '--no-validate',
        '--cfg-options', 'train_cfg.max_iters=1', 'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0', 'default_hooks.checkpoint.interval=1',
    )  # fmt: skip
    assert log.count('SyncBN needs GPUs: BN is used in its place') == 1
    metrics = []
    for processes in (1, 2):
        out = tmp_path / f'{processes}.json'
        evaluate(
            repository, run_tool, processes, config, tmp_path / 'work/iter_1.pth',
            *work, '--metrics', out, '--cfg-options', 'test_dataloader.num_workers=0',
        )  # fmt: skip
        metrics.append(json.loads(out.read_text()))
    assert metrics[0] == metrics[1]
    assert 0 < metrics[0]['aAcc'] <= 100
