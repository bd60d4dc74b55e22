"""Fixtures for tests that run the tools as a user would."""

from __future__ import annotations

import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import forget_runs


@pytest.fixture(scope='session')
def coco(shared_data) -> Path:
    """32 images of COCO val2017 with 68 annotated persons."""
    return shared_data / 'coco_mini_val'


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

    former = signal.getsignal(signal.SIGTERM)
    yield call
    signal.signal(signal.SIGTERM, former)
    forget_runs()
