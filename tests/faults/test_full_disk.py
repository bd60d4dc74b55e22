"""A disk with no room left: what was saved stays, and one line says what is wrong."""

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from runs import STEP, command, start, wait_for

from litehrnet_mm import writing
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.whole_files import is_whole, newest_checkpoint

NO_ROOM = 'No space left on device'


@pytest.fixture
def fill(monkeypatch):
    """Let some checkpoints find no room: ``fill(3)`` the third, ``fill(3, 4)`` both."""

    def filled(*numbers):
        written, replace = [], writing.os.replace

        def refuse(source, target):
            if Path(target).suffix == '.pth':
                written.append(target)
                if len(written) in numbers:
                    raise OSError(errno.ENOSPC, NO_ROOM)
            replace(source, target)

        monkeypatch.setattr(writing.os, 'replace', refuse)

    return filled


def test_the_older_checkpoints_stay(prepare, fill, tmp_path):
    cfg = prepare(tmp_path, 4)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    fill(3, 4)
    with pytest.raises(UserError) as ended:
        train(cfg)
    last = tmp_path / 'epoch_2.pth'
    assert 'epoch_4.pth could not be saved: No space left' in str(ended.value)
    assert f'the newest whole checkpoint is {last}: make room' in str(ended.value)
    assert [*tmp_path.glob('*.pth*')] == [last]
    assert newest_checkpoint(tmp_path) == (last, [])
    (log,) = tmp_path.glob('*/*.log')
    said = log.read_text()
    assert said.count(f'could not be saved: {NO_ROOM}. Training goes on') == 2
    assert f'the newest whole checkpoint is {last}' in said


def test_room_in_time(prepare, fill, tmp_path):
    fill(1)
    train(prepare(tmp_path, 2))
    assert [path.name for path in tmp_path.glob('*.pth*')] == ['epoch_2.pth']


@pytest.fixture
def small_disk(tmp_path):
    """Start a run on a disk of so many bytes; folders of it, and what to start."""
    if shutil.which('unshare') is None:
        pytest.skip('no unshare here, to mount a small disk')
    mount = ['unshare', '--mount', '--map-root-user', '--propagation', 'private']
    disk = tmp_path / 'disk'
    disk.mkdir()
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
    if subprocess.run([*mount, 'sh', '-c', script, '-', '1m', disk, 'true']).returncode:
        pytest.skip('no right to mount a small disk here')

    def started(size: str, words: list, log: Path) -> tuple[subprocess.Popen, Path]:
        run = start([*mount, 'sh', '-c', script, '-', size, str(disk), *words], log)
        return run, Path(f'/proc/{run.pid}/root{disk}')

    started.folder = disk
    return started


def ended_in_one_line(run: subprocess.Popen, log: Path) -> str:
    """The line with which a run ended that could not write."""
    assert run.wait(timeout=200) == 2, log.read_text()
    assert 'Traceback' not in log.read_text()
    (line,) = [x for x in log.read_text().splitlines() if x.startswith('error: ')]
    return line


def test_a_disk_for_two_checkpoints(people, small_disk, tmp_path):
    log, work = tmp_path / 'log.txt', small_disk.folder / 'work'
    words = command(people, work, 60)
    words += ['default_hooks.checkpoint.max_keep_ckpts=-1']
    run, root = small_disk('40m', words, log)
    assert wait_for(run, log, lambda: log.read_text().count(NO_ROOM) > 1)
    inside = root / 'work'
    saved = sorted(inside.glob('*.pth*'))
    assert [path.name for path in saved] == ['epoch_1.pth', 'epoch_2.pth']
    assert all(map(is_whole, saved))
    assert read_checkpoint(str(newest_checkpoint(inside)[0]))['meta']['epoch'] == 2
    # Nor is there room for what is to be saved before the node is taken.
    os.kill(run.pid, signal.SIGTERM)
    line = ended_in_one_line(run, log)
    assert f'.pth could not be written: {NO_ROOM}' in line
    assert f'the newest whole checkpoint is {work}/epoch_2.pth' in line


def test_a_disk_that_takes_not_even_the_log(people, small_disk, tmp_path):
    log, work = tmp_path / 'log.txt', small_disk.folder / 'work'
    run, root = small_disk('40m', command(people, work, 400), log)
    assert wait_for(run, log, lambda: len(STEP.findall(log.read_text())) > 3)
    subprocess.run(['cp', '/dev/zero', root / 'other'], stderr=subprocess.PIPE)
    line = ended_in_one_line(run, log)
    assert f'could not be written: {NO_ROOM}' in line
    assert f'the newest whole checkpoint is {work}/epoch_' in line
