"""Building and installing the project, as pip does for users."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def run(*command, cwd: Path, python: Path | str = sys.executable, **settings) -> str:
    """Run Python with these arguments; what it printed."""
    process = subprocess.run(
        [str(python), *map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        **settings,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def copy_sources(repository: Path, target: Path) -> Path:
    """The sources without hidden files and what is not ours: a build pollutes."""
    unwanted = ('.*', '__pycache__', 'build', 'dist', '*.egg-info')

    def ignored(folder: str, names: list[str]) -> set[str]:
        found = shutil.ignore_patterns(*unwanted)(folder, names)
        if Path(folder) == repository:
            found |= {'data', 'work_dirs'} & set(names)
        return found

    shutil.copytree(repository, target, ignore=ignored)
    return target


def pip_wheel(source: Path, cwd: Path) -> Path:
    """Build the wheel of these sources in ``cwd/out``."""
    options = ('--no-deps', '--no-build-isolation', '--no-index', '--quiet')
    run('-m', 'pip', 'wheel', *options, '-w', cwd / 'out', source, cwd=cwd)
    (wheel,) = (cwd / 'out').glob('*.whl')
    return wheel


def fresh_environment(folder: Path, wheel: Path) -> Path:
    """The Python of an environment with a wheel in it, and all else that is here.

    An editable installation of this project is not seen in it.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / 'bin/python'
    command = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    packages = Path(run('-c', command, cwd=folder, python=python).strip())
    # What a file of paths names is searched, but its own files of paths are not read.
    (packages / 'others.pth').write_text(sysconfig.get_path('purelib'))
    options = ('--no-deps', '--no-index', '--quiet', '--target', packages)
    run('-m', 'pip', 'install', *options, wheel, cwd=folder)
    return python
