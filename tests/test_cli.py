import pytest

from litehrnet_mm.cli import UserError, run_tool, warn_user


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
