"""Reading hostile inputs in forked children, and what came of each.

A child reads many inputs, one after the other. Before each it tells its number, after
each what came of it, so that an input that ends the child, or keeps it, is known; the
next child goes on behind it. Each input has 5 s of CPU time, 6 s on the clock without
those in which it was ready and others had the cores, and 2 GB above what the child has
from its start. An audit hook notes what only code would do: start a process other than
that in which a network is tried, connect, write a file anywhere but into the one folder
that is for mended copies.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable

import cv2
import torch

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.onnx_trial import CHILD, OVER

CPU_SECONDS = 5.0
CLOCK_SECONDS = 6.0
MEMORY = 2 * 2**30
BATCH = 100
"""Inputs that a child reads at most."""
LONGEST = 600
"""Letters of a message that is to be one clear line; paths are part of it."""
OUT_OF_MEMORY = ('memory', 'bad_alloc', 'bad alloc')
WITHIN_LIMIT = OVER.lower()
"""ONNX Runtime says so where its own limit ends it, which is lower than that here."""
CODE = (
    *('os.system', 'os.exec', 'os.fork', 'os.forkpty', 'os.posix_spawn', 'os.kill'),
    *('os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.symlink', 'os.chmod'),
    *('subprocess.Popen', 'pty.spawn', 'socket.connect', 'socket.bind'),
    *('socket.getaddrinfo', 'shutil.rmtree', 'ctypes.dlopen', 'webbrowser.open'),
)
"""What Python's audit hooks call that which no reader does."""
TRIAL = [sys.executable, '-I', '-c', CHILD]
"""How the command begins by which a reader tries a network in another process."""
COPYING = {'open': 1, 'os.mkdir': 1, 'os.rename': 2, 'os.remove': 1}
"""What those do who write copies, and how many paths each is about."""
OUT = 'out'
"""The folder beside the files, not there yet, that copies may be written into."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Input:
    """Files to be read together.

    Attributes:
        kind: What was done to them.
        files: By name.
        seed: Number of the valid files that they were made from.
    """

    kind: str
    files: Files
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of an input.

    Attributes:
        state: ``'refused'``, ``'accepted'`` or the kind of fault.
        text: The refusal, or what the fault is.
        seconds: Of CPU time.
        megabytes: By which the child grew at most.
    """

    state: str
    text: str = ''
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether this must not be."""
        return self.state not in ('refused', 'accepted')


Read = Callable[[Path], Any]
Judge = Callable[[Any, Input], str]


class Ran:
    """Notes events of Python's audit hooks that only code would cause."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.listens = False
        self.out = ''
        sys.addaudithook(self.note)

    def note(self, event: str, args: tuple) -> None:
        """Note an event, and prevent it."""
        if not self.listens:
            return
        writes = event == 'open' and isinstance(args[2], int) and args[2] & WRITING
        tries = event == 'subprocess.Popen' and args[1][: len(TRIAL)] == TRIAL
        if tries or self.copies(event, args):
            return
        # A number is of what is open already, such as a pipe.
        writes = writes and args[0] != os.devnull and not isinstance(args[0], int)
        if event in CODE or writes:
            self.events.append(f'{event} {str(args)[:80]}')
            raise PermissionError(f'not while reading: {event}')

    def copies(self, event: str, args: tuple) -> bool:
        """Whether an event is within the folder of copies, wherever links lead."""
        paths = args[: COPYING.get(event, 0)]
        named = all(isinstance(path, (str, os.PathLike)) for path in paths)
        return (
            bool(paths)
            and named
            and all(f'{os.path.realpath(path)}/'.startswith(self.out) for path in paths)
        )


def read_one(
    read: Read, judge: Judge, item: Input, refusals: tuple, ran: Ran
) -> tuple[str, str]:
    """Read an input in this process: the outcome's state and text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in item.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        before = sorted(os.listdir(folder))
        ran.events.clear()
        ran.out = f'{os.path.realpath(folder)}/{OUT}/'
        said = io.StringIO()
        state, text = 'accepted', ''
        try:
            ran.listens = True
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                found = read(folder)
                ran.listens = False
                text = judge(found, item)
            state = 'silent' if text else 'accepted'
        except refusals as error:
            state, text = check_refusal(error, item, folder)
        except MemoryError as error:
            state, text = 'memory', repr(error)
        except BaseException as error:
            state, text = 'traceback', f'{type(error).__name__}: {error}'[:300]
        finally:
            ran.listens = False
        if ran.events or sorted({*os.listdir(folder)} - {OUT}) != before:
            state, text = 'code', '; '.join(ran.events) or str(os.listdir(folder))
        return state, text


def check_refusal(error: BaseException, item: Input, folder: Path) -> tuple[str, str]:
    """Whether a refusal is one clear line that names a file."""
    text = str(error)
    cause: BaseException | None = error
    while cause is not None:
        said = '' if isinstance(cause, UserError) else str(cause).lower()
        said = '' if WITHIN_LIMIT in said else said
        if isinstance(cause, MemoryError) or any(x in said for x in OUT_OF_MEMORY):
            return 'memory', f'{text[:200]} after {cause!r}'[:400]
        cause = cause.__cause__ or cause.__context__
    if not any(Path(name).name in text for name in item.files):
        return 'unclear', f'names no file: {text[:300]}'
    text = text.replace(str(folder), '')
    if not text.isprintable() or len(text) > LONGEST:
        return 'unclear', f'not one clear line: {text[:300]!r}'
    return 'refused', text


def size_of(field: str) -> float:
    """A size of this process in megabytes, by its name in ``/proc``."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def work_off(
    read: Read,
    judge: Judge,
    refusals: tuple,
    items: Sequence[tuple[int, Input]],
    place: str,
    pipe: int,
) -> None:
    """In a child: read inputs, and tell the parent."""
    tempfile.tempdir = place
    faulthandler.disable()  # the parent tells how a child ended
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with open(os.devnull, 'w') as nowhere:  # of libraries in C
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    limit = int(size_of('VmSize') * 2**20) + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ran = Ran()
    for number, item in items:
        tell(pipe, dict(start=number))
        Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
        before, start = size_of('VmRSS'), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        state, text = read_one(read, judge, item, refusals, ran)
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - start
        grown = size_of('VmHWM') - before
        outcome = Outcome(state, text, round(seconds, 3), round(grown, 1))
        tell(pipe, dict(end=number, **asdict(outcome)))


def tell(pipe: int, message: dict) -> None:
    """Write a line into a pipe."""
    os.write(pipe, json.dumps(message).encode() + b'\n')


def fork(work: Callable[[int], None]) -> tuple[int, int]:
    """Start a child that writes into a pipe; its number, and the pipe's end to read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    try:
        # If the parent ends, so does this.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os.close(reading)
        work(writing)
        status = 0
    finally:
        os._exit(status)


def run_inputs(
    read: Read, judge: Judge, refusals: tuple, inputs: Sequence[Input]
) -> Iterator[Outcome]:
    """Read inputs in children.

    Args:
        read: What reads a folder with the files of an input.
        judge: Whether what was read may be accepted: a fault or nothing.
        refusals: Errors by which the reader refuses.
        inputs: The files.

    Yields:
        The outcome of each input, in order.
    """
    cv2.setNumThreads(0)  # threads do not survive a fork
    torch.set_num_threads(1)
    left = list(enumerate(inputs))
    while left:
        batch = left[:BATCH]
        # What a child that was ended leaves behind goes with this folder.
        with tempfile.TemporaryDirectory() as place:
            child, pipe = fork(partial(work_off, read, judge, refusals, batch, place))
            done = 0
            try:
                for outcome in _listen(child, pipe, len(batch)):
                    done += 1
                    yield outcome
            finally:
                os.close(pipe)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child, 0)
        left = left[done:]


def _listen(child: int, pipe: int, count: int) -> Iterator[Outcome]:
    """What a child tells; how it ended comes last if it ended too soon."""
    rest, told, started = b'', 0, False
    begun = time.monotonic() - waited(child)
    while told < count:
        ready, _, _ = select.select([pipe], [], [], 0.5)
        if not ready and time.monotonic() - waited(child) - begun < CLOCK_SECONDS:
            continue
        data = os.read(pipe, 65536) if ready else b''
        if not data:
            yield _ending(child, bool(ready), started)
            return
        begun = time.monotonic() - waited(child)
        *lines, rest = (rest + data).split(b'\n')
        for line in lines:
            message = json.loads(line)
            started = 'start' in message
            if not started:
                del message['end']
                told += 1
                yield Outcome(**message)


def waited(child: int) -> float:
    """Seconds for which a process was ready, and others had the cores (Linux)."""
    try:
        return int(Path(f'/proc/{child}/schedstat').read_text().split()[1]) / 1e9
    except OSError:  # it has just ended
        return 0.0


def _ending(child: int, closed: bool, started: bool) -> Outcome:
    if not closed:
        return Outcome('hang', f'{CLOCK_SECONDS:g} s on the clock', CPU_SECONDS)
    _, status = os.waitpid(child, 0)
    if not started:
        raise RuntimeError(f'the harness itself failed: status {status}')
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGPROF:
            return Outcome('hang', f'{CPU_SECONDS:g} s of CPU', CPU_SECONDS)
        return Outcome('crash', signal.Signals(number).name)
    return Outcome('crash', f'exit status {os.WEXITSTATUS(status)}')
