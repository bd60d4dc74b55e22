"""Runs of pytest, each in a process of its own that has all imported already."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
from ignoring import ignore
from tool_runs import ALONE

# Whatever the project says for a run of all tests, here each has a process.
PYTEST = ('-o', 'addopts=--import-mode=importlib', '-p', 'no:cacheprovider', '-q')


class Outcomes:
    """Of a run: for each test whether it passed, failed or was skipped."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of set-up, call and tear-down."""
        if report.outcome != 'passed' or report.when == 'call':
            self.found[report.nodeid] = report.outcome


def run_tests(nodes: Sequence[str], name: str, folder: Path) -> None:
    """Run tests, in a process of its own, while an option is ignored.

    Args:
        nodes: Their pytest ids.
        name: Of the option; none if it is empty.
        folder: Gets ``outcomes.json`` and ``output.txt``.
    """
    folder.mkdir()
    output = os.open(folder / 'output.txt', os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ[ALONE] = '1'  # tools have to start with what is ignored
    if name:
        ignore(name)
    outcomes = Outcomes()
    stop = ['-x'] if name else []
    pytest.main(
        [*PYTEST, *stop, f'--basetemp={folder / "tmp"}', *nodes], plugins=[outcomes]
    )
    (folder / 'outcomes.json').write_text(json.dumps(outcomes.found))
    sys.stdout.flush()
    os._exit(0)  # what the tests left open is not waited for


def import_tests(nodes: Sequence[str]) -> None:
    """Import tests and what they need, which no run has to do again."""
    with redirect_stdout(io.StringIO()):
        pytest.main([*PYTEST, '--collect-only', *nodes])


def in_turns(
    work: Sequence[tuple[Sequence[str], str, Path]], jobs: int
) -> Iterator[tuple[str, Path]]:
    """Run tests as often as there are entries, so many at a time.

    Yields:
        The name of each option and the folder of its run, as they end.
    """
    waiting, running = list(work)[::-1], {}
    while waiting or running:
        while waiting and len(running) < jobs:
            entry = waiting.pop()
            process = ForkProcess(target=run_tests, args=entry)
            process.start()
            running[process.sentinel] = process, entry
        for sentinel in connection.wait(list(running)):
            process, (_, name, folder) = running.pop(sentinel)
            process.join()
            yield name, folder


def outcomes_in(folder: Path) -> dict[str, str]:
    """What a run found; nothing if it broke down."""
    path = folder / 'outcomes.json'
    return json.loads(path.read_text()) if path.is_file() else {}
