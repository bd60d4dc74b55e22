"""Variables of the environment reach what reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
# Configs that read each; the files that name them are few.
CONFIGS = {
    'ADE20K_ROOT': 'seg/ade20k/fcn_litehrnet-18_*.py',
    'AIC_ROOT': 'pose/coco/*merge.py',
    'CAMVID_ROOT': 'seg/camvid/fcn_litehrnet-18_1xb8-20k_*.py',
    'CITYSCAPES_ROOT': 'seg/cityscapes/fcn_litehrnet-18_4xb4-160k_*1024.py',
    'COCO_ROOT': 'pose/coco/td-hm_litehrnet-18_8xb64-*.py',
    'CUSTOM_ROOT': '*/custom/*_custom-*.py',
    'IMAGE_SUFFIX': 'seg/custom/*_custom-*.py',
    'MPII_ROOT': 'pose/mpii/td-hm_litehrnet-18_*.py',
    'POSE_CHECKPOINT': 'seg/cityscapes/*pose-pretrained*.py',
    'STREETS_ROOT': 'seg/synthetic/*.py',
    'SYNTHETIC_ROOT': 'pose/synthetic/*.py',
}
NOTE_AND_FAIL = '#!/bin/sh\n[ "$1" = -c ] && echo 3.99 && exit\necho "$@"\nexit 1\n'


@pytest.mark.parametrize('name', CONFIGS)
def test_configs_read_it(monkeypatch, name):
    monkeypatch.setenv(name, 'elsewhere')
    paths = list((ROOT / 'configs').glob(CONFIGS[name]))
    assert paths
    for path in paths:
        assert 'elsewhere' in Config.fromfile(path).pretty_text, path


@pytest.mark.parametrize(
    ('target', 'variables', 'command'),
    [
        ('install', dict(VENV='v', PYTHON='p'), 'requirements/install.sh v p'),
        (
            'test-versions',
            dict(TORCH='1', TORCHVISION='2', PYTHON='p', MMCV='w'),
            'tests/versions/run.sh 1 2 p w',
        ),
        ('lock', dict(PYTHON='p', OPTIONS='-x -y'), 'requirements/lock.sh p -x -y'),
        ('audit', dict(PYTHON='p', OPTIONS='-x -y'), 'requirements/audit.sh p -x -y'),
    ],
)
def test_make_reads_them(target, variables, command):
    # A `make` that runs the tests would hand down variables of its own.
    usual = {k: x for k, x in os.environ.items() if not k.startswith('MAKE')}
    done = subprocess.run(
        ['make', '--dry-run', target],
        cwd=ROOT,
        env={**usual, **variables},
        capture_output=True,
        text=True,
    )
    assert command in done.stdout.splitlines(), done.stderr


def test_environments_of_other_versions_lie_where_asked_for(tmp_path):
    python = tmp_path / 'python'
    python.write_text(NOTE_AND_FAIL)
    python.chmod(0o755)
    done = subprocess.run(
        [ROOT / 'tests/versions/run.sh', '1', '2', python],
        env={**os.environ, 'VERSIONS': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f'-m venv {tmp_path}/.venv.3.99-1' in done.stdout.splitlines()


def test_the_folder_of_real_data():
    file = 'tests/datasets/test_prepare_camvid.py'
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-n', '0', '-rs', '-p', 'no:cacheprovider',
         f'{file}::test_split_agrees_with_real_frames'],
        cwd=ROOT,
        env={**os.environ, 'LITEHRNET_MM_TEST_DATA': '/nowhere'},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert 'no real data in /nowhere' in done.stdout, done.stdout
