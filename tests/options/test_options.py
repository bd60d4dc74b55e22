"""Every option is documented, and has a test that fails if it is ignored."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from option_table import absent_tests, read_table
from option_walker import find_calls, find_names, find_parsers, option_name

SCRIPT = Path(__file__).with_name('check_options.py')
# Of each kind one: an option, one of a sub-command, a place, arguments of a function,
# of a constructor, and of a call; of a tool and of a call one that is needed; variables
# that a script reads, and this process.
QUICK = [
    'plot_logs.py --smooth',
    'make_synthetic.py streets --split',
    'complexity.py config',
    'draw_people(thickness)',
    'LiteHRNet(in_channels)',
    'PoseRuntime(flip_test)',
    'convert_checkpoint.py source',
    'make_grid(columns)',
    'environment NNODES',
    'environment SYNTHETIC_ROOT',
]


@pytest.fixture(scope='module')
def parsers():
    """Of all tools."""
    return list(find_parsers())


def test_every_option_has_a_test():
    named = [name for tests in read_table().values() for name in tests]
    assert len(set(named)) == len(named)
    assert sorted(named) == sorted(find_names())


def test_every_test_is_there():
    nodes = [node for tests in read_table().values() for node in tests.values()]
    assert absent_tests(nodes) == []
    assert absent_tests([nodes[0] + 'x']) == [nodes[0] + 'x']


def test_help_shows_and_explains_every_option(parsers):
    assert len(parsers) > 20
    for parser in parsers:
        for action in parser.options:
            name = option_name(action)
            shown = name if action.option_strings else action.metavar or name
            lines = [line.strip() for line in parser.help.splitlines()]
            # At the start of its line, or after another name of the same.
            pattern = rf'(--\w+.*, )?{re.escape(shown)}( |$)'
            assert any(re.match(pattern, line) for line in lines), (parser.name, name)
            words = re.sub(r'default: .*', '', action.help or '')
            assert len(words) > 3, (parser.name, name)


def test_help_shows_no_default_that_says_nothing(parsers):
    for parser in parsers:
        said = ' '.join(parser.help.split())
        assert not re.search(r'default: (None|True|False|[\[({])', said), parser.name


def test_help_names_no_option_that_there_is_not(parsers):
    known = {
        word for p in parsers for action in p.options for word in action.option_strings
    }
    for parser in parsers:
        named = set(re.findall(r'(?<![\w-])--[a-z][a-z_-]*[a-z]', parser.help))
        assert named - known <= {'--help'}, parser.name


def test_every_argument_is_explained():
    calls = list(find_calls())
    assert len(calls) > 30
    for call in calls:
        for name in (*call.material, *call.others):
            pattern = rf'^ +\**{name}( \(.*\))?: '
            assert re.search(pattern, call.about, re.MULTILINE), (call.name, name)


def check(*options: str) -> subprocess.CompletedProcess:
    """Run the long form for some options."""
    return subprocess.run(
        [sys.executable, SCRIPT, '--option', *options],
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_some_options_ignored():
    done = check(*QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'{len(QUICK)} of {len(QUICK)} options noticed when ignored' in done.stdout


WITH_ANOTHER_TABLE = """
import check_options
table = dict(tool={{{option!r}: {test!r}}})
check_options.read_table = lambda: table
check_options.run_tool(check_options.main)
"""


def check_with(option: str, test: str, **variables: str) -> subprocess.CompletedProcess:
    """Run the long form for an option, whether or not this test is about it."""
    return subprocess.run(
        [sys.executable, '-c', WITH_ANOTHER_TABLE.format(option=option, test=test)],
        cwd=SCRIPT.parent,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_a_test_that_does_not_notice_is_named():
    unaware = 'tests/tools/test_plot_logs.py::test_list_and_what_is_drawn_by_default'
    done = check_with('plot_logs.py --smooth', unaware)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f'not noticed: plot_logs.py --smooth, by {unaware}\n' in done.stdout
    assert '0 of 1 option noticed when ignored\n' in done.stdout


def test_a_test_that_is_skipped_is_named_and_no_fault():
    on_real_images = 'tests/tools/test_check_dataset.py::test_masks_of_cityscapes'
    option = 'check_dataset.py masks --ignore'
    done = check_with(option, on_real_images, LITEHRNET_MM_TEST_DATA='/nowhere')
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'its test is skipped: {option}, by {on_real_images}\n' in done.stdout
    assert '0 of 1 option noticed when ignored, 1 not checked\n' in done.stdout


def test_names_that_are_in_no_table():
    done = check('predict.py --nothing')
    assert done.returncode == 2
    assert done.stderr.startswith('error: --option predict.py --nothing: ')
