"""Have each option ignored, one at a time, and see that a test fails.

    python tests/options/check_options.py
    python tests/options/check_options.py --option 'predict.py --min-score'

The tests are those of ``option_table.txt``. First all of them are run as they are, and
must pass; then each again while its option has no effect, and must fail. Exit status 0
if all that holds, otherwise 1. Options whose tests are skipped, as those on real images
are where there are none, are counted and named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import litehrnet_mm  # noqa: F401  before any test imports mmpose: see compat.py
from litehrnet_mm.analysis.tables import text_table
from litehrnet_mm.cli import (
    UserError,
    counted,
    positive,
    progress_bar,
    run_tool,
    tool_parser,
)

sys.path.insert(1, str(Path(__file__).parents[1]))

from forked_tests import import_tests, in_turns, outcomes_in
from option_table import ROOT, absent_tests, function_of, read_table
from running import NARROW

NOTICED, MISSED, BROKEN = 'noticed', 'not noticed', 'its test does not run, or fails'
SKIPPED = 'not checked, since its test is skipped'


def check(
    tests: Mapping[str, str], jobs: int, folder: Path
) -> tuple[dict[str, str], dict[str, Path]]:
    """Run all.

    Args:
        tests: For each option its test.
        jobs: How many processes at a time.
        folder: For what they write.

    Returns:
        For each option a verdict, and the folder of the run that it is from.
    """
    nodes = sorted(set(map(function_of, tests.values())))
    import_tests(nodes)
    work = [(nodes, '', folder / 'plain')]
    bar = progress_bar(in_turns(work, 1), 1, title='All tests as they are')
    ((_, plain),) = bar
    before = outcomes_in(plain)
    verdicts, folders = dict.fromkeys(tests, BROKEN), dict.fromkeys(tests, plain)
    work = []
    for k, (name, node) in enumerate(tests.items()):
        # Of a test with parameters all that are not named.
        found = {x for test, x in before.items() if f'{test}['.startswith(f'{node}[')}
        if found == {'passed'}:
            work.append(([node], name, folder / str(k)))
        elif found == {'skipped'}:
            verdicts[name] = SKIPPED
    bar = progress_bar(in_turns(work, jobs), len(work), title='An option ignored')
    for name, place in bar:
        found = outcomes_in(place).values()
        folders[name] = place
        if found:
            verdicts[name] = NOTICED if 'failed' in found else MISSED
    return verdicts, folders


def report(table: Mapping[str, Mapping[str, str]], verdicts: Mapping[str, str]) -> str:
    """How many options each tool or call has, and what is wrong or not checked."""
    rows = [['of', 'options', NOTICED]]
    faults = []
    for owner, tests in table.items():
        noticed = [verdicts[name] for name in tests].count(NOTICED)
        rows.append([owner, str(len(tests)), str(noticed)])
        faults += [
            f'{verdicts[name]}: {name}, by {node}'
            for name, node in tests.items()
            if verdicts[name] != NOTICED
        ]
    found = list(verdicts.values())
    total = f'{found.count(NOTICED)} of {counted(len(found), "option")} {NOTICED}'
    skipped = f', {found.count(SKIPPED)} not checked' if SKIPPED in found else ''
    lines = [text_table(rows, '<>>'), '', *faults]
    return '\n'.join([*lines, f'{total} when ignored{skipped}'])


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add(
        '--option',
        nargs='+',
        default=[],
        metavar='NAME',
        help='only those whose name in the table contains one of these; default: all',
    )
    add('--jobs', type=positive, default=1, metavar='N', help='default: %(default)s')
    add(
        '--output',
        action='store_true',
        help='print what pytest says where something is wrong',
    )
    return parser.parse_args()


def remove_litter() -> None:
    """Remove what runs wrote whose ``--work-dir`` was ignored."""
    for path in (ROOT / 'work_dirs').rglob(f'{NARROW}*'):
        shutil.rmtree(path, ignore_errors=True)


def chosen(words: Sequence[str]) -> dict[str, dict[str, str]]:
    """The part of the table whose names contain one of the words, or all of it."""
    table = {
        owner: {
            name: node
            for name, node in tests.items()
            if not words or any(word in name for word in words)
        }
        for owner, tests in read_table().items()
    }
    if not any(table.values()):
        raise UserError(f'--option {" ".join(words)}: the table has no such option')
    absent = absent_tests(node for tests in table.values() for node in tests.values())
    if absent:
        raise UserError(f'the table names tests that there are not: {absent}')
    return {owner: tests for owner, tests in table.items() if tests}


def main() -> None:
    """Check all that is asked for."""
    args = parse_args()
    table = chosen(args.option)
    os.chdir(ROOT)
    tests = {name: node for part in table.values() for name, node in part.items()}
    with tempfile.TemporaryDirectory() as folder:
        verdicts, folders = check(tests, args.jobs, Path(folder))
        if args.output:
            wrong = [x for x, verdict in verdicts.items() if verdict != NOTICED]
            for place in dict.fromkeys(folders[name] for name in wrong):
                print((place / 'output.txt').read_text())
    remove_litter()
    print(report(table, verdicts))
    sys.exit(0 if set(verdicts.values()) <= {NOTICED, SKIPPED} else 1)


if __name__ == '__main__':
    run_tool(main)
