"""Files are there whole or not at all, whatever they are called."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from litehrnet_mm.files import write_whole
from litehrnet_mm.writing import written_whole


@pytest.mark.parametrize('name', ['y' * 250, 'ü' * 120, 'results'])
def test_a_file_of_any_name_is_written_and_no_other_is_touched(tmp_path, name):
    """Of a long one, too; what a user calls ``*.part`` stays."""
    (tmp_path / 'results.part').write_bytes(b'mine')
    write_whole(tmp_path / name, b'1')
    assert (tmp_path / name).read_bytes() == b'1'
    assert (tmp_path / 'results.part').read_bytes() == b'mine'
    assert len([*tmp_path.iterdir()]) == 2


def test_two_processes_write_the_same_file(tmp_path):
    """Neither takes away what the other one is writing."""
    path = tmp_path / 'x'
    with written_whole(path) as one:
        one.write_bytes(b'1')
        with written_whole(path) as other:
            other.write_bytes(b'2')
        assert path.read_bytes() == b'2'
    assert path.read_bytes() == b'1'
    assert [*tmp_path.iterdir()] == [path]


def is_folder(what: int | str) -> bool:
    """Whether an open file, or a path, is one."""
    return stat.S_ISDIR(os.stat(what).st_mode)


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    moments, fsync, replace = [], os.fsync, os.replace

    def sync(number):
        moments.append('folder' if is_folder(number) else 'file')
        fsync(number)

    def rename(source, target):
        moments.append('name')
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', sync)
    monkeypatch.setattr(os, 'replace', rename)
    write_whole(tmp_path / 'x', b'1')
    assert moments == ['file', 'name', 'folder']


@pytest.mark.parametrize('number', [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
@pytest.mark.parametrize('step', ['fsync', 'open'])
def test_folders_that_cannot_be_synced(tmp_path, monkeypatch, number, step):
    """As on some network file systems: the file is whole and has its name."""
    call, refused = getattr(os, step), []

    def refuse(what, *flags):
        if is_folder(what):
            refused.append(what)
            raise OSError(number, os.strerror(number))
        return call(what, *flags)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, refuse)
        write_whole(tmp_path / 'x', b'1')
    assert refused
    assert [*tmp_path.iterdir()] == [tmp_path / 'x']


@pytest.mark.skipif(os.name != 'posix', reason='pipes of POSIX')
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    path = tmp_path / 'pipe'
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(path, b'1')
    assert os.read(reader, 9) == b'1'
    os.close(reader)
    assert path.is_fifo()
