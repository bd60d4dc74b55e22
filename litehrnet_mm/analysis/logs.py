"""What MMEngine logged of a training, as numbers with their places in it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litehrnet_mm.cli import UserError, warn_user
from litehrnet_mm.files import as_text, check_memory, read_regular
from litehrnet_mm.values import is_id, shown

MOST_BYTES = 200 << 20
"""Of a log: a million lines."""
SCALARS = 'vis_data/scalars.json'
RESUMED = re.compile(r'^resume = (True|False)$', re.MULTILINE)
PLACES = ('iter', 'epoch', 'step')
TIMES = ('time', 'data_time')
"""Logged of each evaluation as well, beside its metrics."""


@dataclass(frozen=True)
class Row:
    """What was logged at one moment.

    Attributes:
        iteration: Since the start of training, from 1.
        epoch: The same in epochs, with a fraction; ``None`` if training is not by
            epochs.
        is_evaluation: Whether the values are metrics of an evaluation.
        values: By name.
    """

    iteration: float
    epoch: float | None
    is_evaluation: bool
    values: dict[str, float]


@dataclass(frozen=True)
class Log:
    """All rows of one training.

    Attributes:
        name: Of the run.
        rows: In the order of training.
    """

    name: str
    rows: tuple[Row, ...]

    def keys(self, is_evaluation: bool) -> list[str]:
        """Names of the scalars of training or of evaluation, as first logged."""
        rows = [row for row in self.rows if row.is_evaluation == is_evaluation]
        return list(dict.fromkeys(key for row in rows for key in row.values))

    def having(self, key: str, is_evaluation: bool) -> list[Row]:
        """The rows of training or of evaluation that have this scalar."""
        return [
            row
            for row in self.rows
            if row.is_evaluation == is_evaluation and key in row.values
        ]

    @property
    def by_epoch(self) -> bool:
        """Whether training went by epochs."""
        return all(row.epoch is not None for row in self.rows)


def read_log(path: Path, name: str) -> Log:
    """Read a run.

    Args:
        path: A work folder of MMEngine, of which the newest run is read, with those
            that it resumed; or a file like ``TIMESTAMP/vis_data/scalars.json``.
        name: What to call the run.

    Raises:
        UserError: If there is no log, or it is empty or broken.
    """
    if path.exists() and not path.is_dir():
        rows = _read_rows(path)
        if not rows:
            raise UserError(f'log {path} is empty: nothing was logged yet')
        return Log(shown(name), tuple(rows))
    if not path.exists():
        raise UserError(f'run not found: {path}')
    files = sorted({*path.glob(f'*/{SCALARS}'), *path.glob(SCALARS)})
    if not files:
        raise UserError(f'no log in {path}: MMEngine writes TIMESTAMP/{SCALARS} there')
    rows = _read_newest(files, path)
    if not rows:
        raise UserError(f'the logs in {path} are empty: nothing was logged yet')
    return Log(shown(name), tuple(rows))


def _read_newest(files: Sequence[Path], folder: Path) -> list[Row]:
    """The last run of a work folder, joined with those that it resumed."""
    rows: list[Row] = []
    start = None
    for file in files:
        more = _read_rows(file)
        if more and rows and not _resumes(file):
            warn_user(
                f'the run of {start} in {folder} was not resumed by that of '
                f'{file.parents[1].name}, and is left out'
            )
            rows = []
        if more:
            start = start if rows else file.parents[1].name
            # What was done again counts as it was done last.
            rows = [row for row in rows if row.iteration < more[0].iteration] + more
    return rows


def _resumes(file: Path) -> bool:
    """Whether a run says in the config beside its log that it resumed another."""
    config = file.with_name('config.py')
    if not config.is_file():
        return True  # nothing speaks against it
    found = RESUMED.search(_read_text(config, 'config'))
    return found is None or found[1] == 'True'


def _read_rows(path: Path) -> list[Row]:
    entries = _read_entries(path)
    training = [entry for entry in entries if 'iter' in entry]
    epoch_length = _epoch_length(training)
    if epoch_length is not None and epoch_length <= 0:
        raise UserError(f'log {path} is damaged: its epochs go backwards')
    rows = []
    for entry in entries:
        is_evaluation = 'iter' not in entry
        place = entry['step' if is_evaluation else 'iter']
        # MMEngine counts evaluations in epochs if training goes by epochs.
        if is_evaluation and epoch_length:
            place *= epoch_length
        left_out = (*PLACES, *TIMES) if is_evaluation else PLACES
        values = {
            key: float(value) for key, value in entry.items() if key not in left_out
        }
        epoch = place / epoch_length if epoch_length else None
        rows.append(Row(place, epoch, is_evaluation, values))
    return rows


def _epoch_length(training: Sequence[dict[str, int | float]]) -> float | None:
    """Iterations of an epoch, which the log does not tell but its epochs' starts do."""
    starts: dict[int, int] = {}
    for entry in training:
        if 'epoch' in entry:
            starts.setdefault(entry['epoch'], entry['iter'])
    if not starts:
        return None
    first, last = min(starts), max(starts)
    if first == last:
        return training[-1]['iter'] / last
    return (starts[last] - starts[first]) / (last - first)


def _read_text(path: Path, kind: str) -> str:
    try:
        content = read_regular(path, MOST_BYTES)
        if kind == 'log':
            check_memory(content)
        return as_text(content)
    except OSError as error:
        raise UserError(f'{kind} {path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{kind} {path} {error}') from error


def _read_entries(path: Path) -> list[dict[str, int | float]]:
    lines = _read_text(path, 'log').splitlines()
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number < len(lines):
                raise UserError(f'{path}, line {number}: no JSON ({error})') from error
            warn_user(f'{path}, line {number}, the last, is cut off and left out')
            continue
        _check_entry(entry, f'{path}, line {number}')
        entries.append(_numbers(entry))
    return entries


def _numbers(entry: dict[str, Any]) -> dict[str, int | float]:
    """What is used of a line; of each name there is one, however many lines have it."""
    return {
        sys.intern(key): value
        for key, value in entry.items()
        if type(value) in (int, float)
    }


def _check_entry(entry: Any, where: str) -> None:
    if not isinstance(entry, dict) or type(entry.get('step')) is not int:
        raise UserError(
            f"{where}: no log of MMEngine, which has a number 'step' in each line"
        )
    for key in PLACES:
        if not is_id(entry.get(key, 1)) or (key != 'step' and entry.get(key) == 0):
            raise UserError(f'{where}: {key} is {shown(entry[key])}, no whole number')
    for key, value in entry.items():
        if type(value) is int and abs(value) > sys.float_info.max:
            raise UserError(f'{where}: {shown(key)} is {shown(value)}, too large')
