"""Fixtures for tests that run the tools as a user would."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from running import forget_runs


@pytest.fixture(scope='session')
def coco(shared_data) -> Path:
    """32 images of COCO val2017 with 68 annotated persons."""
    return shared_data / 'coco_mini_val'


@pytest.fixture(scope='session')
def run_tool(repository):
    """Run a tool as a user would, and return what it said."""

    def run(
        tool: str, *args: object, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        command = [sys.executable, f'tools/{tool}', *map(str, args)]
        return subprocess.run(
            command,
            cwd=repository,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, **(env or {})},
        )

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


@pytest.fixture
def call_tool(repository, monkeypatch, capfd):
    """Run a tool in this process: without its start-up, but the same otherwise."""

    def call(tool: str, *args: object) -> subprocess.CompletedProcess:
        monkeypatch.chdir(repository)
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, args)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(f'tools/{tool}', run_name='__main__')
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(sys.argv, ended.value.code, out, err)

    yield call
    forget_runs()
