"""Logs whose numbers cannot be: one line that names file, line and value."""

from __future__ import annotations

import json

import pytest

from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.cli import UserError

ROW = dict(lr=0.1, loss=1.0, epoch=1, iter=10, step=10)


def write(folder, change: dict):
    """A log of three rows, the one in the middle changed."""
    rows = [ROW, {**ROW, 'iter': 20, **change}, {**ROW, 'iter': 30, 'epoch': 2}]
    path = folder / 'scalars.json'
    path.write_text('\n'.join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(iter='20'), 'line 2: iter is 20, no whole number'),
        (dict(iter=-0.5), 'line 2: iter is -0.5, no'),
        (dict(iter=0), 'line 2: iter is 0, no'),
        (dict(epoch=[1]), r'line 2: epoch is \[1\], no'),
        (dict(epoch=0), 'line 2: epoch is 0, no'),
        (dict(step=-1), 'line 2: step is -1, no'),
        (dict(loss=10**400), 'line 2: loss is 1000.*too large'),
        (dict(epoch=3, iter=5), 'epochs go backwards'),
    ],
)
def test_places_that_are_no_numbers(tmp_path, change, words):
    path = write(tmp_path, change)
    with pytest.raises(UserError, match=words) as refused:
        read_log(path, 'run')
    assert str(path) in str(refused.value)


def test_a_loss_that_became_nan_is_read(tmp_path):
    log = read_log(write(tmp_path, dict(loss=float('nan'))), 'run')
    assert [row.values['loss'] == row.values['loss'] for row in log.rows] == [
        *(True, False, True)
    ]


def test_a_line_that_is_nested_too_deep(tmp_path):
    path = write(tmp_path, {})
    deep = '[' * 100_000 + ']' * 100_000
    path.write_text(f'{json.dumps(ROW)}\n{deep}\n{json.dumps(ROW)}')
    with pytest.raises(UserError, match='line 2: no JSON'):
        read_log(path, 'run')
