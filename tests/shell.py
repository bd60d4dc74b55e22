"""Which programs a block of shell commands calls, without calling them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

PROGRAMS = ('python', 'mim', 'srun', 'make', 'pip', 'wget', 'unzip')
# Takes the place of a program, and notes what it is called with.
NOTE = """#!{python}
import json, os, sys
with open({log!r}, 'a') as log:
    log.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + '\\n')
"""


def code_blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page that are in a language."""
    text = page.read_text(encoding='utf-8')
    return re.findall(rf'```{language}\n(.*?)```', text, re.DOTALL)


def calls(block: str, folder: Path) -> list[list[str]]:
    """Let a shell read a block in a folder; the calls, each a program and its words.

    Scripts of ``tools/`` are run, down to the programs that they call. The folder gets
    a ``.venv`` with what stands in for the programs.
    """
    log = folder / 'calls.jsonl'
    log.write_text('')
    shims = folder / '.venv/bin'
    shims.mkdir(parents=True, exist_ok=True)
    (shims / 'activate').touch()
    for name in PROGRAMS:
        shim = shims / name
        shim.write_text(NOTE.format(python=sys.executable, log=str(log)))
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        ['bash', '-e', '-c', block],
        cwd=folder,
        env={**os.environ, 'PATH': f'{shims}:{os.environ["PATH"]}', 'PYTHON': 'python'},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f'{block}\n{done.stderr}'
    return [json.loads(line) for line in log.read_text().splitlines()]
