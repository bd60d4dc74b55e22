"""Logs whose numbers cannot be: one line that names file, line and value."""

from __future__ import annotations

import json

import pytest

from litehrnet_mm import files
from litehrnet_mm.analysis.curves import (
    choose_keys,
    draw_curves,
    list_keys,
    summary_rows,
)
from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.cli import UserError
from litehrnet_mm.values import shown

ROW = dict(lr=0.1, loss=1.0, epoch=1, iter=10, step=10)


def write(folder, change: dict):
    """A log of three rows, the one in the middle changed."""
    rows = [ROW, {**ROW, 'iter': 20, **change}, {**ROW, 'iter': 30, 'epoch': 2}]
    path = folder / 'scalars.json'
    path.write_text('\n'.join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'\xef\xbb\xbf{"step": 1}', 'begins with a byte order mark'),
        ('{"step": 1}'.encode('utf-16'), 'is in UTF-16'),
        (b'{"step": "\xff"}', 'is no text in UTF-8'),
    ],
)
def test_a_log_is_plain_utf_8(tmp_path, content, words, capsys):
    path = tmp_path / 'scalars.json'
    path.write_bytes(content)
    with pytest.raises(UserError, match=f'^log {path} {words}'):
        read_log(path, 'run')
    assert capsys.readouterr().err == ''


def test_a_config_beside_a_log_is_text(tmp_path):
    for run in '12':
        folder = tmp_path / run / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(json.dumps(ROW))
    config = folder / 'config.py'
    config.write_bytes('# ä\nresume = True\n'.encode('latin-1'))
    with pytest.raises(UserError, match=f'^config {config} is no text in UTF-8'):
        read_log(tmp_path, 'run')


@pytest.mark.parametrize('key', ['l\ud800oss', 'a\nb\x1b[31m', r'$\frac', 'x' * 900])
def test_scalars_of_any_name_are_listed_and_drawn(tmp_path, key):
    path = tmp_path / 'scalars.json'
    path.write_text(json.dumps({**ROW, key: 1.5}))
    logs = [read_log(path, 'a\nrun')]
    out = tmp_path / 'x.png'
    draw_curves(logs, ['loss', key], 'iter', 0, out)
    assert out.stat().st_size > 1000
    rows = summary_rows(logs, ['loss', key])
    texts = [*list_keys(logs).split('\n'), *(cell for row in rows for cell in row)]
    assert all(text.isprintable() and len(text) < 200 for text in texts)
    assert any(shown(key) in text for text in texts)
    with pytest.raises(UserError, match='no scalar') as refused:
        choose_keys(logs, ['none'])
    assert str(refused.value).isprintable()


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


def test_a_log_that_would_take_gigabytes(tmp_path, monkeypatch):
    path = write(tmp_path, dict(x=[[]] * 1000))
    assert len(read_log(path, 'run').rows) == 3
    monkeypatch.setattr(files, 'MOST_MEMORY', 100_000)
    with pytest.raises(UserError, match=f'^log {path} has so many lists, objects and'):
        read_log(path, 'run')


def test_names_that_return_in_each_line_are_there_once(tmp_path):
    rows = read_log(write(tmp_path, {}), 'run').rows
    first, second = (next(k for k in row.values if k == 'loss') for row in rows[:2])
    assert first is second
