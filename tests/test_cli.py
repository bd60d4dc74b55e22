import errno
import io
import os
from tempfile import gettempdir

import pytest

from litehrnet_mm.cli import UserError, check_file, run_tool, warn_user


def test_success_ends_with_status_0_and_silence(capsys):
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: None)
    assert end.value.code == 0
    assert capsys.readouterr() == ('', '')


def test_users_mistake_is_one_line_and_status_2(capsys):
    def main() -> None:
        raise UserError('config not found: a.py')

    with pytest.raises(SystemExit) as end:
        run_tool(main)
    assert end.value.code == 2
    assert capsys.readouterr() == ('', 'error: config not found: a.py\n')


@pytest.mark.parametrize('say', [warn_user, None])
def test_whatever_a_file_is_called_a_message_is_one_printable_line(capsys, say):
    text = 'no film: new\nline\x1b[31m\udcff ü 人.mp4'
    shown = r'no film: new\nline\x1b[31m\udcff ü 人.mp4'

    def main() -> None:
        print('found \udcff')
        if say:
            say(text)
        else:
            raise UserError(text)

    with pytest.raises(SystemExit):
        run_tool(main)
    kind = 'warning' if say else 'error'
    assert capsys.readouterr() == ('found \\udcff\n', f'{kind}: {shown}\n')


@pytest.mark.parametrize('error', [ValueError('x'), RuntimeError('x'), KeyError('x')])
def test_defect_keeps_its_traceback(error, capsys):
    def main() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        run_tool(main)
    assert raised.value is error
    assert [entry.name for entry in raised.traceback][-1] == 'main'
    assert capsys.readouterr() == ('', '')


def test_status_that_a_parser_chose_is_kept():
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: (_ for _ in ()).throw(SystemExit(3)))
    assert end.value.code == 3


class Wrapper:
    """A stream like those that colour output on other systems."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)


@pytest.mark.parametrize('wrapped', [False, True])
@pytest.mark.parametrize('encoding', ['ascii', 'utf-8'])
def test_names_that_a_stream_cannot_take(monkeypatch, encoding, wrapped):
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding)
    monkeypatch.setattr('sys.stdout', Wrapper(stream) if wrapped else stream)
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: print('found \udcff'))
    assert end.value.code == 0
    stream.flush()
    assert content.getvalue() == b'found \\udcff\n'


def test_a_stream_that_is_no_file(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr('sys.stdout', stream)
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: print('found \udcff'))
    assert end.value.code == 0
    assert stream.getvalue() == 'found \udcff\n'


@pytest.mark.parametrize('name', [None, '/x/y.pkl'])
def test_a_full_disk_is_one_line(capsys, name):
    def main() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    with pytest.raises(SystemExit) as end:
        run_tool(main)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    what = name or f'a file, perhaps in {gettempdir()},'
    assert line == f'error: {what} could not be written: No space left on device'


@pytest.mark.parametrize('name', ['/proc/x.json', 'y' * 300, 'folder'])
def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path, name):
    (tmp_path / 'folder').mkdir()
    with pytest.raises(UserError, match='--metrics'):
        check_file('--metrics', tmp_path / name)
    assert [*tmp_path.iterdir()] == [tmp_path / 'folder']


@pytest.mark.parametrize('name', ['new', 'folder/new', 'old', 'link', 'dangling'])
def test_what_is_there_stays_when_a_file_is_checked(tmp_path, name):
    (tmp_path / 'old').write_bytes(b'1')
    (tmp_path / 'link').symlink_to(tmp_path / 'old')
    (tmp_path / 'dangling').symlink_to(tmp_path / 'none')
    check_file('--metrics', tmp_path / name)
    assert (tmp_path / 'old').read_bytes() == b'1'
    assert os.path.lexists(tmp_path / 'dangling')
    files = {path.name for path in tmp_path.iterdir() if not path.is_dir()}
    assert files == {'old', 'link', 'dangling'}
