"""Reading metafiles, writing numbers into them, and the page."""

from pathlib import Path

import pytest

from litehrnet_mm.analysis.tables import amount, printed, text_table
from litehrnet_mm.analysis.zoo import load_zoo, write_counts
from litehrnet_mm.analysis.zoo_page import zoo_page
from litehrnet_mm.cli import UserError

METAFILE = """\
Collections:
- Name: Nets
  Metadata:
    Sources:
      a paper: https://example.org/paper
    Published Only:
    - Name: Net-S
      Task: Semantic Segmentation
      Dataset: Streets
      Input Size: 512x1024
      arch: litehrnet-18
      Parameters: 1100000
      MACs: 1950000000
      Source: a paper

Models:
# A comment that stays.
- Name: net-1
  In Collection: Nets
  Config: configs/net-1.py
  Metadata:
    Architecture: [Net]
    Training Data: [Dogs, Cats]
    Input Size: 256x192  # height x width
    Parameters: 1234000  # measured
    FLOPs: 5600000
    Published:
      Parameters: 1300000
      MACs: 551800000
      Source: a paper
      Recalled: true
      Note: Nobody knows.
  Results:
  - Task: Pose
    Dataset: Dogs
    Metrics: {AP: 0.5, EPE: 4.25}
    Source: a paper
    Recalled: true
    Weights: https://example.org/net.pth
    Format: official
  - Task: Pose
    Dataset: Cats
    Metrics: {AP: 0.25}
    Source: a paper
  Measured Here:
  - Weights: theirs
    Dataset: two dogs
    Metrics: {AP: 0.75}
    Command: tools/test.py
- Name: net-2
  In Collection: Nets
  Config: configs/net-2.py
  Metadata:
    Architecture: [Net]
    Training Data: Dogs
    Input Size: 256x192
    Parameters: 7
    FLOPs: 8
"""


@pytest.fixture
def write(tmp_path):
    """Make a zoo of one metafile, and return its folder."""

    def make(metafile: str = METAFILE) -> Path:
        (tmp_path / 'model-index.yml').write_text('Import: [metafile.yml]\n')
        (tmp_path / 'metafile.yml').write_text(metafile, encoding='utf-8')
        return tmp_path

    return make


def test_a_zoo_is_read(write):
    zoo = load_zoo(write())
    first, second = zoo.entries
    assert (first.name, first.config) == ('net-1', 'configs/net-1.py')
    assert (first.network, first.training_data) == ('Net', 'Dogs, Cats')
    assert first.input_size == (256, 192)
    assert (first.parameters, first.macs) == (1_234_000, 5_600_000)
    assert first.published.macs == 551_800_000
    assert first.published.note == 'Nobody knows.'
    assert [r.recalled for r in first.results] == [True, False]
    assert first.measurements[0].metrics == {'AP': 0.75}
    assert (second.published, second.results, second.measurements) == (None, (), ())
    (unbuilt,) = zoo.unbuilt
    assert (unbuilt.arch, unbuilt.input_size) == ('litehrnet-18', (512, 1024))
    assert zoo.sources == {'a paper': 'https://example.org/paper'}


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('    Source: a paper\n    Recalled', '    Recalled', ["'Source'", 'net-1']),
        ('Source: a paper', 'Source: hearsay', ["'hearsay'", 'a paper']),
        ('256x192  #', '256  #', ['Input Size', 'net-1', 'got']),
        ('Models:', 'Models', ['not valid YAML', 'metafile.yml']),
        (
            '  Metadata:\n    Architecture',
            '  Other:\n    Architecture',
            ["'Metadata'", 'net-1'],
        ),
    ],
)
def test_a_faulty_metafile_is_named(write, old, new, words):
    with pytest.raises(UserError) as caught:
        load_zoo(write(METAFILE.replace(old, new, 1)))
    message = str(caught.value)
    assert '\n' not in message
    assert all(word in message for word in words), message


def test_a_missing_metafile_is_named(tmp_path):
    (tmp_path / 'model-index.yml').write_text('Import: [none.yml]')
    with pytest.raises(UserError, match=r'none\.yml cannot be read'):
        load_zoo(tmp_path)


def test_counts_change_their_two_lines_and_nothing_else(write):
    path = write() / 'metafile.yml'
    assert write_counts(path, {'net-1': (10, 20), 'net-2': (7, 30)})
    changed = {
        (old, new)
        for old, new in zip(METAFILE.splitlines(), path.read_text().splitlines())
        if old != new
    }
    assert changed == {
        ('    Parameters: 1234000  # measured', '    Parameters: 10  # measured'),
        ('    FLOPs: 5600000', '    FLOPs: 20'),
        ('    FLOPs: 8', '    FLOPs: 30'),
    }
    assert not write_counts(path, {'net-1': (10, 20)})


def test_counts_need_lines_to_stand_in(write):
    path = write(METAFILE.replace('    FLOPs: 5600000\n', '')) / 'metafile.yml'
    with pytest.raises(UserError, match='net-1 needs the lines'):
        write_counts(path, {'net-1': (10, 20)})
    assert 'Parameters: 1234000' in path.read_text()


def test_the_page_has_every_number_with_its_source(write):
    lines = zoo_page(load_zoo(write())).splitlines()
    at = lines.index('## Dogs')
    header, _, dogs, cats, second = (
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in lines[at + 2 : at + 7]
    )
    assert header[:6] == ['config', 'input', 'parameters', 'MACs', 'AP', 'EPE']
    source = '[a paper](https://example.org/paper)'
    assert dogs == [
        '[`net-1`](../configs/net-1.py)',
        '256×192',
        '1.234 M',
        '5.600 M',
        '0.500 †',
        '4.25 †',
        source,
        '[`official`](https://example.org/net.pth)',
        '[AP 0.750](#measured-here)',
    ]
    assert cats == ['', '', '', '', '0.250', '–', f'{source}, on Cats', '–', '']
    assert second[4:] == ['–'] * 5
    assert '| `net-1` | theirs | two dogs | AP 0.750 | `tools/test.py` |' in lines


def test_amounts_have_four_digits_and_a_unit():
    assert amount(1_130_769) == '1.131 M'
    assert amount(198_626_688) == '198.6 M'
    assert amount(696_044_160) == '696.0 M'
    assert amount(1_565_042_688) == '1.565 G'
    assert (printed(205_200_000), printed(1_480_000_000)) == ('205.2 M', '1.48 G')
    assert printed(700_000) == '0.7 M'


def test_text_tables_are_aligned():
    table = text_table(
        [('name', 'n', 'end'), ('a', '10', 'x'), ('long one', '7', '')], '<><'
    )
    assert table.splitlines() == [
        'name       n  end',
        '--------  --  ---',
        'a         10  x',
        'long one   7',
    ]
