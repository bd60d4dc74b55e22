"""What every command line tool of this project shares."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Callable, NoReturn, TypeVar

from tqdm import tqdm

from litehrnet_mm.values import printable

T = TypeVar('T')


class UserError(Exception):
    """A mistake in what the user gave: one line that says what and the way out.

    Args:
        message: The line.
        kind: What kind of fault it is, for those who count faults.
    """

    def __init__(self, message: str, kind: str = '') -> None:
        super().__init__(message)
        self.kind = kind


class PictureError(UserError):
    """A fault of one picture, for which others need not be left out."""


def run_tool(main: Callable[[], None]) -> NoReturn:
    """Run a tool's ``main`` and end the process with an honest exit status.

    Args:
        main: Parses the command line and does the work.

    Raises:
        SystemExit: Always. Status 0 when ``main`` returned, 2 after a
            :class:`UserError`, whose message is printed as one line on standard
            error, or on a full disk. Any other exception is a defect and keeps its
            traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # else it is no file, and takes all
            stream.reconfigure(errors='backslashreplace')  # for names that are no UTF-8
    try:
        main()
    except UserError as error:
        print(printable(f'error: {error}'), file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        name = error.filename or f'a file, perhaps in {gettempdir()},'
        line = f'error: {name} could not be written: {error.strerror}'
        print(printable(line), file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def warn_user(text: str) -> None:
    """Print a warning as one line on standard error."""
    print(printable(f'warning: {text}'), file=sys.stderr)


def one_line(error: BaseException) -> str:
    """The first line of an error's message, or its name where it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def progress_bar(
    items: Iterable[T],
    total: int,
    show: bool = True,
    title: str | None = None,
    unit: str = 'it',
) -> Iterable[T]:
    """Go through ``items`` with a progress bar on standard error.

    Where that is no terminal but a file, the bar adds a line every few seconds only.
    """
    interval = 0.1 if sys.stderr.isatty() else 5
    return tqdm(
        items, title, total=total, disable=not show, mininterval=interval, unit=unit
    )


def tool_parser(description: str | None, **more: Any) -> argparse.ArgumentParser:
    """A parser whose help keeps the lines of a tool's docstring.

    Args:
        description: The docstring.
        **more: Other arguments of :class:`argparse.ArgumentParser`.
    """
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **more,
    )


def preparation_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser for a tool that prepares a data set, with ``--jobs``."""
    parser = tool_parser(description)
    add_jobs(parser)
    return parser


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``, the number of processes."""
    parser.add_argument(
        '--jobs',
        type=positive,
        default=os.cpu_count() or 1,
        metavar='N',
        help='number of processes (default: one for each core, %(default)s)',
    )


def counted(number: int, noun: str, plural: str = '') -> str:
    """A number with its noun, in the plural unless it is one."""
    return f'{number} {noun}' if number == 1 else f'{number} {plural or f"{noun}s"}'


def positive(text: str) -> int:
    """Read a whole number of at least 1, as the ``type`` of an option.

    Raises:
        ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f'must be a whole number of at least 1, got {text}'
        )
    return int(text)


def make_folder(path: Path, kind: str = '') -> None:
    """Make a folder for results, and those it lies in.

    Args:
        path: The folder.
        kind: What it is to the user, e.g. ``'work folder'``.

    Raises:
        UserError: If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        name = f'{kind} {path}'.strip()
        raise UserError(f'cannot write to {name}: {error.strerror}') from error


def check_file(option: str, path: Path) -> None:
    """Make sure, before long work, that its result can be written.

    Raises:
        UserError: If the path is a folder, its folder cannot be made, or no file can be
            written there.
    """
    if os.path.isdir(path):
        raise UserError(f'{option} is a file to write, and {path} is a folder')
    make_folder(path.parent)
    try:
        if not os.path.lexists(path):
            path.open('ab').close()
            path.unlink(missing_ok=True)  # other processes of a run try, too
        elif not os.access(path if os.path.exists(path) else path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f'cannot write {option} {path}: {error.strerror}') from error
