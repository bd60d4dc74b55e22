"""Runs of the tools, each in a process of its own that has its imports done.

A tool imports PyTorch and OpenMMLab for some seconds, and what a test asks of it is
often done in less. So ``multiprocessing`` keeps a process that has imported them and
nothing else, and makes each run from a copy of it.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

TESTS = Path(__file__).parent

IMPORTED = [
    'litehrnet_mm',  # before mmpose: see compat.py
    *('mmpose.apis', 'mmseg.apis', 'matplotlib.pyplot', 'rich.progress'),
    *('litehrnet_mm.engine.launch', 'litehrnet_mm.engine.options'),
    *('litehrnet_mm.datasets', 'litehrnet_mm.visualization'),
    *('litehrnet_mm.prediction.networks', 'litehrnet_mm.deploy.export'),
]
"""What tools import; where it is not to be had, it is left out."""

ALONE = 'LITEHRNET_MM_TEST_ALONE'
"""Names the variable with which each run is a program that is started anew."""


def can_be_copied() -> bool:
    """Whether a copy of a process is as good as one that is started anew.

    CUDA does not work in a copy, and neither do the system's libraries on macOS.
    """
    linux = sys.platform == 'linux'
    return linux and not torch.cuda.is_available() and ALONE not in os.environ


def run_script(
    script: str,
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    timeout: float = 300,
) -> subprocess.CompletedProcess:
    """Run a script as ``python script words`` in a folder would.

    Args:
        script: Its path from the folder.
        words: Its command line.
        folder: To run it in.
        env: All of its environment.
        timeout: In seconds.

    Returns:
        Its exit status, and all it said, as text.

    Raises:
        subprocess.TimeoutExpired: If it takes longer; it was ended.
    """
    command = [sys.executable, script, *words]
    if not can_be_copied():
        return subprocess.run(
            command,
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(IMPORTED)
    with tempfile.TemporaryDirectory() as kept:
        said = [Path(kept, name) for name in ('out', 'err')]
        process = context.Process(
            target=_run, args=(script, list(words), folder, dict(env), said)
        )
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout)
        out, err = (path.read_text() if path.exists() else '' for path in said)
    return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _run(
    script: str, words: list[str], folder: Path, env: dict[str, str], said: list[Path]
) -> None:
    """Be the run, in the copy."""
    for stream, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [script, *words]
    own = [path for path in sys.path if not Path(path).is_relative_to(TESTS)]
    sys.path[:] = [str((folder / script).parent), *own]
    status = 0
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as ended:
        status = ended.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.exit(status)
