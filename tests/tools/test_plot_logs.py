"""``tools/plot_logs.py``: on logs of real runs, and on made-up ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import matplotlib.figure
import pytest
from running import assert_one_line, forget_runs

from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.datasets import make_people

CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
SHORT = (
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'default_hooks.logger.interval=1',
    'train_cfg.val_interval=1',
)


def write_run(
    work: Path, stamp: str, rows: list[dict], resumed: bool = False, end: str = ''
) -> Path:
    """Write a run as MMEngine does; its log."""
    folder = work / stamp / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(f'resume = {resumed}\n')
    lines = [json.dumps(row) + '\n' for row in rows]
    (folder / 'scalars.json').write_text(''.join(lines) + end)
    return folder / 'scalars.json'


def pose_rows(first: int, last: int, ap: float, length: int = 10) -> list[dict]:
    """Some epochs of a pose training, logged after 4 and 8 of 10 iterations."""
    rows = []
    for epoch in range(first, last + 1):
        for inner in (4, 8):
            step = (epoch - 1) * length + inner
            row = dict(lr=1e-3, loss=1 / step, acc_pose=step / 100, time=0.1)
            rows.append(dict(row, epoch=epoch, iter=step, step=step))
        rows.append({'coco/AP': ap / epoch, 'coco/AR': ap, 'time': 0.1, 'step': epoch})
    return rows


def seg_rows(count: int = 4) -> list[dict]:
    """A segmentation training by iterations."""
    rows = []
    for step in range(10, 10 * count + 1, 10):
        rows.append({'lr': 0.01, 'loss': 1 / step, 'iter': step, 'step': step})
        rows.append({'aAcc': 50.0, 'mIoU': 1.0 * step, 'step': step})
    return rows


@pytest.fixture
def drawn(monkeypatch):
    """Title of the panel, label, x and y of the lines of figures that were saved."""
    found = []
    save = matplotlib.figure.Figure.savefig

    def spy(figure, *args, **kwargs):
        lines = [(axes, line) for axes in figure.axes for line in axes.get_lines()]
        found.append(
            [
                (axes.get_title('left'), line.get_label(), *map(list, line.get_data()))
                for axes, line in lines
            ]
        )
        return save(figure, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, 'savefig', spy)
    return found


def test_the_logs_of_a_resumed_training(call_tool, tmp_path, monkeypatch):
    monkeypatch.setenv('SYNTHETIC_ROOT', str(tmp_path / 'data'))
    for split in ('train', 'val'):
        make_people(tmp_path / 'data' / split, 4, persons=(1, 1))
    work, out = tmp_path / 'work', tmp_path / 'curves.png'
    for options, epochs in ((), 2), (('--resume',), 3):
        done = call_tool(
            'train.py', CONFIG, '--work-dir', work, *options, '--cfg-options', *SHORT,
            f'train_cfg.max_epochs={epochs}',
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        forget_runs()
    done = call_tool('plot_logs.py', work, '--out', out)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    (loss,) = [row for row in rows if row[:2] == ['work', 'loss']]
    assert loss[3:5] == ['iteration', '6']
    (ap,) = [row for row in rows if row[:2] == ['work', 'coco/AP']]
    assert ap[3:5] == ['epoch', '3']
    log = read_log(work, 'x')
    assert [row.epoch for row in log.rows] == [0.5, 1, 1, 1.5, 2, 2, 2.5, 3, 3]
    assert [row.is_evaluation for row in log.rows] == [False, False, True] * 3
    assert cv2.imread(str(out)).std() > 10


def test_overlapping_steps_are_those_of_the_later_run(call_tool, tmp_path, drawn):
    write_run(tmp_path, '20260101_000000', pose_rows(1, 4, 0.4))
    write_run(tmp_path, '20260102_000000', pose_rows(3, 5, 0.9), resumed=True)
    done = call_tool('plot_logs.py', tmp_path, '--out', tmp_path / 'a.svg')
    assert done.returncode == 0, done.stderr
    (lines,) = drawn
    ap = lines[-1]
    assert ap[2] == pytest.approx([1, 2, 3, 4, 5])
    assert ap[3] == pytest.approx([0.4, 0.2, 0.3, 0.225, 0.18])
    assert len(lines[0][2]) == 10
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[3][1:] == ['coco/AP', '0.18', 'epoch', '5', '0.4', 'epoch', '1']
    assert rows[2][1] == 'loss'
    assert rows[2][-1] == '48'  # the last iteration, the least loss


def test_the_newest_run_of_a_folder_counts(call_tool, tmp_path):
    write_run(tmp_path, '20260101_000000', pose_rows(1, 4, 0.4))
    write_run(tmp_path, '20260102_000000', pose_rows(1, 1, 0.9))
    write_run(tmp_path, '20260103_000000', [])
    done = call_tool('plot_logs.py', tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'run of 20260101_000000' in done.stderr
    assert '20260102_000000, and is left out' in done.stderr
    assert 'epoch 1' in done.stdout
    assert 'epoch 4' not in done.stdout


def test_several_runs_get_names_and_panels(call_tool, tmp_path, drawn):
    first = write_run(tmp_path / 'a', '20260101_000000', pose_rows(1, 3, 0.4))
    write_run(tmp_path / 'b', '20260101_000000', pose_rows(1, 3, 0.8))
    done = call_tool(
        'plot_logs.py', first, tmp_path / 'b', '--out', tmp_path / 'new/c.pdf',
        '--names', 'one', 'two', '--keys', 'coco/AP', 'lr', 'loss',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'new/c.pdf').read_bytes().startswith(b'%PDF')
    panels = [(title, label) for title, label, _, _ in drawn[0]]
    trained, evaluated = ('training', 'evaluation')
    both = ['one', 'two']
    assert panels == [(t, n) for t in (trained, trained, evaluated) for n in both]
    assert [line.split()[0] for line in done.stdout.splitlines()[2:8]] == [
        *['one'] * 3,
        *['two'] * 3,
    ]


def test_the_horizontal_axis(call_tool, tmp_path, drawn):
    write_run(tmp_path / 'pose', '20260101_000000', pose_rows(1, 2, 0.4))
    write_run(tmp_path / 'seg', '20260101_000000', seg_rows())
    out = ('--out', tmp_path / 'a.png')
    for options in ((), ('--x', 'iter')):
        done = call_tool('plot_logs.py', tmp_path / 'pose', *out, *options)
        assert done.returncode == 0, done.stderr
    assert [line[2] for line in drawn[0]] == [[0.4, 0.8, 1.4, 1.8], [1, 2]]
    assert [line[2] for line in drawn[1]] == [[4, 8, 14, 18], [10, 20]]
    done = call_tool('plot_logs.py', tmp_path / 'pose', tmp_path / 'seg', *out)
    assert done.returncode == 0, done.stderr
    assert drawn[2][1][2] == [10, 20, 30, 40]
    done = call_tool('plot_logs.py', tmp_path / 'seg', *out, '--x', 'epoch')
    assert_one_line(done, 'seg', 'iterations', '--x iter')


def test_smoothing_of_training_but_not_of_lr_and_evaluation(call_tool, tmp_path, drawn):
    write_run(tmp_path, '20260101_000000', seg_rows(2))
    keys = ('--keys', 'loss', 'lr', 'mIoU')
    out = ('--out', tmp_path / 'a.png')
    done = call_tool('plot_logs.py', tmp_path, *keys, *out, '--smooth', 0.5)
    assert done.returncode == 0, done.stderr
    raw, smooth, rate, miou = drawn[0]
    assert raw[3] == [0.1, 0.05]
    assert smooth[3] == pytest.approx([0.1, (0.5 * 0.1 + 0.05) / 1.5])
    assert rate[3] == [0.01, 0.01]
    assert miou[3] == [10, 20]


def test_list_and_what_is_drawn_by_default(call_tool, tmp_path):
    write_run(tmp_path, '20260101_000000', seg_rows())
    done = call_tool('plot_logs.py', tmp_path, '--list')
    assert done.stdout.splitlines() == [
        f'{tmp_path.name}: 8 rows',
        '  training    lr, loss',
        '  evaluation  aAcc, mIoU',
    ]
    done = call_tool('plot_logs.py', tmp_path)
    rows = [line.split()[1] for line in done.stdout.splitlines()[2:]]
    assert rows == ['loss', 'mIoU']


def test_a_cut_last_line_is_told_and_left_out(call_tool, tmp_path):
    log = write_run(tmp_path, '20260101_000000', seg_rows(2), end='{"lr": 0.01, "lo')
    done = call_tool('plot_logs.py', tmp_path, '--keys', 'mIoU')
    assert done.returncode == 0, done.stderr
    assert f'warning: {log}, line 5, the last, is cut off' in done.stderr
    words = done.stdout.splitlines()[-1].split()
    assert words[1:] == ['mIoU', '20', 'iteration', '20', '20', 'iteration', '20']


def test_a_loss_that_is_no_number_is_never_the_best(call_tool, tmp_path):
    rows = [*seg_rows(2), dict(loss=float('nan'), iter=30, step=30)]
    write_run(tmp_path, '20260101_000000', rows)
    done = call_tool('plot_logs.py', tmp_path, '--keys', 'loss')
    words = done.stdout.splitlines()[-1].split()
    assert words[1:] == ['loss', 'nan', 'iteration', '30', '0.05', 'iteration', '20']


def test_what_cannot_be_read(call_tool, tmp_path):
    log = write_run(tmp_path / 'run', '20260101_000000', seg_rows(2))
    empty = write_run(tmp_path / 'empty', '20260101_000000', [])
    (tmp_path / 'bare').mkdir()

    def fails(*words, run=log, more=()):
        assert_one_line(call_tool('plot_logs.py', run, *more), *words)

    fails('absent', 'not found', run=tmp_path / 'absent')
    fails('bare', 'no log', 'scalars.json', run=tmp_path / 'bare')
    fails(empty, 'is empty', run=empty)
    fails(tmp_path / 'empty', 'empty', run=tmp_path / 'empty')
    fails("'mAP'", 'there are lr, loss, aAcc, mIoU', more=('--keys', 'loss', 'mAP'))
    fails('--smooth', 'below 1', more=('--smooth', 1))
    fails('--names', '1 runs, 2 names', more=('--names', 'a', 'b'))
    fails('cannot write', log, more=('--out', log / 'a.png'))
    done = call_tool('plot_logs.py', log, '--out', tmp_path / 'a.gif')
    assert done.returncode == 2
    assert '.png, .svg, .pdf' in done.stderr
    text = log.read_text()
    log.write_text('{"lr": \n' + text)
    fails(log, 'line 1', 'no JSON')
    log.write_text(text + '{"lr": 1}\n')
    fails(log, 'line 5', "'step'")
    log.write_bytes(b'\x80\x02')
    fails(log, 'no text')
