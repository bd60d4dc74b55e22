"""A short form of run_fuzz.py, and that the harness sees each kind of fault."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import isolation
import pytest
from fuzz_targets import TARGETS
from hostile_pickles import MARKER, bombs, code
from isolation import Input, run_inputs
from weight_targets import repacked

from litehrnet_mm.cli import UserError
from litehrnet_mm.files import write_whole

INPUTS = 24
SCRIPT = Path(__file__).with_name('run_fuzz.py')


@pytest.mark.parametrize('target', TARGETS, ids=[target.name for target in TARGETS])
def test_no_input_does_harm(target, request):
    if target.needs_data:
        request.getfixturevalue('shared_data')
    inputs = target.inputs(INPUTS, seed=7)
    assert len({str(item.files) for item in inputs}) > INPUTS / 2
    outcomes = list(target.run(inputs))
    assert len(outcomes) == INPUTS
    faults = [(inputs[k].kind, x) for k, x in enumerate(outcomes) if x.is_fault]
    assert not faults
    assert not MARKER.exists()


@pytest.mark.parametrize('target', TARGETS, ids=[target.name for target in TARGETS])
def test_what_is_whole_is_accepted(target, request):
    """A reader that refused everything would pass the tests above."""
    if target.needs_data:
        request.getfixturevalue('shared_data')
    inputs = [Input('none', files, k) for k, files in enumerate(target.valid)]
    assert [x.state for x in target.run(inputs)] == ['accepted'] * len(inputs)


@pytest.mark.parametrize(
    'name', ['paddle', 'dump of predictions', 'pth, sums right', 'pth, old form']
)
def test_each_hostile_pickle_is_refused(name):
    """All of them, alone in a file; those of PyTorch in archives, and without."""
    target = next(x for x in TARGETS if x.name == name)
    valid = target.valid[0]
    inputs = []
    for opcodes in (*code(), *bombs()):
        pickled = b'\x80\2' + opcodes + b'.'
        if name == 'pth, sums right':
            pickled = repacked(valid['x.pth'], pickled)
        inputs.append(Input('hostile', {target.file: pickled}))
    states = [outcome.state for outcome in target.run(inputs)]
    assert states == ['refused'] * len(inputs)
    assert not MARKER.exists()


def leave() -> None:
    os._exit(0)


def read_zero() -> None:
    sum(len(part) for part in iter(lambda: bytes(1000), None))


def swallow() -> None:
    try:
        subprocess.run(['true'])
    except OSError:
        return


FAULTS = {
    'crash': [os.abort, leave],
    'hang': [read_zero, lambda: time.sleep(600)],
    'memory': [lambda: bytearray(3 * 2**30)],
    'code': [
        lambda: os.system('true'),
        swallow,
        lambda: Path('x').write_text('x'),
        lambda: socket.create_connection(('127.0.0.1', 9)),
    ],
    'traceback': [lambda: {}['x'], lambda: [].pop()],
}
CASES = [(state, work) for state, works in FAULTS.items() for work in works]


@pytest.mark.parametrize(('state', 'work'), CASES)
def test_the_harness_sees_a_fault(state, work, monkeypatch):
    monkeypatch.setattr(isolation, 'CPU_SECONDS', 0.5)
    monkeypatch.setattr(isolation, 'CLOCK_SECONDS', 3.0)
    inputs = [Input('none', {'x.txt': content}) for content in (b'1', b'2', b'3')]

    def read(folder: Path) -> None:
        if (folder / 'x.txt').read_bytes() == b'2':
            work()

    found = list(run_inputs(read, lambda *_: '', (UserError,), inputs))
    assert [x.state for x in found] == ['accepted', state, 'accepted']


@pytest.mark.parametrize(
    ('place', 'state'),
    [
        ('out/x', 'accepted'),
        ('out/sub/../x', 'accepted'),
        ('x', 'code'),
        ('outer/x', 'code'),
        ('out/../x', 'code'),
    ],
)
def test_copies_are_written_into_their_folder_alone(place, state):
    def write(folder: Path) -> None:
        write_whole(folder / place, b'copy')

    (found,) = run_inputs(write, lambda *_: '', (), [Input('none', {'x.txt': b''})])
    assert found.state == state


@pytest.mark.parametrize(
    ('said', 'state'),
    [
        ('x.txt is damaged', 'refused'),
        ('it is damaged', 'unclear'),
        ('x.txt\nis damaged', 'unclear'),
        ('x.txt has the value \0', 'unclear'),
        ('x.txt ' * 300, 'unclear'),
        (None, 'silent'),
    ],
)
def test_the_harness_judges_what_is_said(said, state):
    def read(folder: Path) -> None:
        if said is not None:
            raise UserError(said)

    inputs = [Input('none', {'x.txt': b''})]
    (found,) = run_inputs(read, lambda *_: 'other numbers', (UserError,), inputs)
    assert found.state == state


def test_a_refusal_for_want_of_memory_is_a_fault():
    def read(folder: Path) -> None:
        try:
            bytearray(3 * 2**30)
        except MemoryError as error:
            raise UserError('x.txt is damaged') from error

    inputs = [Input('none', {'x.txt': b''})]
    (found,) = run_inputs(read, lambda *_: '', (UserError,), inputs)
    assert found.state == 'memory'


def test_time_and_memory_are_measured():
    def read(folder: Path) -> int:
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        return len(b'x' * 100_000_000)

    inputs = [Input('none', {'x.txt': b''})] * 2
    found = list(run_inputs(read, lambda *_: '', (UserError,), inputs))
    assert all(0.2 <= x.seconds < 2 for x in found)
    assert all(90 < x.megabytes < 300 for x in found)


def test_the_long_form(tmp_path):
    command = [sys.executable, SCRIPT, '--inputs', '30', '--target', 'paddle']
    done = subprocess.run(
        [*command, '--out', tmp_path], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    header, _, line, everything = done.stdout.splitlines()
    assert header.split()[:4] == ['target', 'inputs', 'refused', 'accepted']
    assert line.split()[:2] == ['paddle', '30']
    assert everything.split()[1] == '30'
    assert everything.split()[-1] == '0'
    assert not list(tmp_path.iterdir())


def test_the_long_form_keeps_what_is_at_fault(tmp_path):
    code = (
        'import sys; sys.argv[0] = "run_fuzz.py"\n'
        f'sys.path.insert(0, {str(SCRIPT.parent)!r})\n'
        'import run_fuzz\n'
        'from dataclasses import replace\n'
        'bad = replace(run_fuzz.TARGETS[0], read=lambda folder: 1 // 0)\n'
        'bad.__dict__["expected"] = [None, None]\n'
        'run_fuzz.TARGETS[:] = [bad]\n'
        'run_fuzz.main()\n'
    )
    command = [sys.executable, '-c', code, '--inputs', '2', '--out', tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done.stderr
    assert 'ZeroDivisionError' in done.stdout
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ['paddle_0_0', 'paddle_0_1']
    for name in kept:
        assert (tmp_path / name / 'x.pdparams').stat().st_size
        assert 'ZeroDivisionError' in (tmp_path / name / 'fault.txt').read_text()
