"""Fixtures that several test modules share."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import pytest
from mmengine.config import config as mmengine_config
from mmengine.config import utils as config_utils
from mmengine.registry import DefaultScope
from pose_data import make_roots as make_pose_roots
from seg_data import make_roots as make_scene_roots
from tool_runs import run_script

import litehrnet_mm  # noqa: F401  # before any test imports mmpose: see compat.py

# Tests run side by side, a process for each core, so more threads would only wait.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# For each `mmseg::` in a config MMEngine reads again what is installed, and the
# metafiles of all models there: 0.3 s each.
mmengine_config.is_installed = functools.cache(mmengine_config.is_installed)
config_utils.load = functools.cache(config_utils.load)

# MMEngine formats each config for the log and each checkpoint: 0.5 s each, for the same
# config in other lines.
mmengine_config.FormatCode = lambda text, **style: (text, True)

DATA_VARIABLE = 'LITEHRNET_MM_TEST_DATA'
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def no_scope_is_left():
    """A run leaves its default scope, in which the next test would look for classes."""
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def repository() -> Path:
    """The root of this repository."""
    return REPOSITORY


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """The folder of real images and weights; the test is skipped without it."""
    default = REPOSITORY.parent / 'shared' / 'data'
    folder = Path(os.environ.get(DATA_VARIABLE) or default)
    if not folder.is_dir():
        pytest.skip(f'no real data in {folder}; name its folder in {DATA_VARIABLE}')
    return folder


@pytest.fixture(scope='session')
def pose_roots(shared_data, tmp_path_factory) -> dict[str, str]:
    """Small COCO, MPII and so on: the environment variables that name them."""
    return make_pose_roots(
        shared_data / 'mmpose_samples', tmp_path_factory.mktemp('data')
    )


def set_variables(roots: dict[str, str], monkeypatch) -> dict[str, Path]:
    """Set variables to the folders that they name, for a test; those folders."""
    for name, root in roots.items():
        monkeypatch.setenv(name, root)
    return {name: Path(root) for name, root in roots.items()}


@pytest.fixture
def pose_data(pose_roots, monkeypatch) -> dict[str, Path]:
    """Those variables set, as a user sets them; their folders by name."""
    return set_variables(pose_roots, monkeypatch)


@pytest.fixture(scope='session')
def seg_roots(shared_data, tmp_path_factory) -> dict[str, str]:
    """Small Cityscapes, CamVid and so on: the variables that name their folders."""
    return make_scene_roots(shared_data, tmp_path_factory.mktemp('scenes'))


@pytest.fixture
def seg_data(seg_roots, monkeypatch) -> dict[str, Path]:
    """Those variables set, as a user sets them; their folders by name."""
    return set_variables(seg_roots, monkeypatch)


@pytest.fixture(scope='session')
def run_tool(repository):
    """Run a tool as a user would, and return what it said."""

    def run(
        tool: str, *args: object, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        given = {**os.environ, **(env or {})}
        return run_script(f'tools/{tool}', [*map(str, args)], repository, given)

    return run


@pytest.fixture(scope='session')
def tinypose(run_tool, shared_data, tmp_path_factory) -> Path:
    """PP-TinyPose, converted."""
    source = shared_data / 'pp_tinypose'
    out = tmp_path_factory.mktemp('weights') / 'tinypose.pth'
    graph = source / 'tinypose_256x192.param'
    done = run_tool('convert_checkpoint.py', 'pp-tinypose', graph, out)
    assert done.returncode == 0, done.stderr
    return out
