"""tools/complexity.py: what it prints, and that its table is the paper's."""

import json
from pathlib import Path

import pytest
from running import LITE_CONFIG, assert_one_line

from litehrnet_mm.analysis import complexity_paper
from litehrnet_mm.analysis.complexity_config import (
    build_model,
    input_size,
    measure_config,
)
from litehrnet_mm.analysis.complexity_paper import (
    Measured,
    measure_row,
    paper_rows,
    paper_text,
)
from litehrnet_mm.analysis.zoo import load_zoo
from litehrnet_mm.engine.config_file import load_config

PARAMETERS_AGREE = 0.03
MACS_AGREE = 0.06

SEGMENTATION = """
default_scope = 'mmseg'
crop_size = (64, 128)
model = dict(
    type='EncoderDecoder',
    pretrained='no/such/file.pth',
    data_preprocessor=dict(type='SegDataPreProcessor', size=crop_size),
    backbone=dict(
        type='litehrnet_mm.LiteHRNet',
        in_channels=4,
        init_cfg=dict(type='Pretrained', checkpoint='no/such/file.pth'),
    ),
    decode_head=dict(
        type='FCNHead', in_channels=40, channels=8, num_classes=5, num_convs=1,
        concat_input=False, in_index=0, kernel_size=1),
    test_cfg=dict(mode='whole'),
)
"""


@pytest.fixture
def config(tmp_path):
    """Write a config and return its path."""

    def write(text: str) -> str:
        path = tmp_path / 'config.py'
        path.write_text(text, encoding='utf-8')
        return str(path)

    return write


def test_a_config_gives_totals_and_a_table(call_tool):
    done = call_tool('complexity.py', LITE_CONFIG)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == LITE_CONFIG
    assert '3×256×192' in lines[1]
    totals = dict(line.rsplit('  ', 1) for line in lines[2:6])
    # 40×17 weights and 17 biases of the head on top of the backbone's parameters.
    assert totals['parameters           '] == '1,130,769 (1.131 M)'
    once = totals['MACs, each layer once']
    assert once == f'{196_537_728 + 40 * 17 * 64 * 48:,} (198.6 M)'
    rows = {line.split()[0]: line.split()[1:] for line in lines[9:-2]}
    assert rows['head'] == ['697', *['2,088,960'] * 2, '52,224', '17×64×48']
    assert 'backbone.head_layer' in rows


def test_json_is_all_that_is_on_standard_output(call_tool):
    done = call_tool('complexity.py', LITE_CONFIG, '--json', '--shape', 64, 96)
    found = json.loads(done.stdout)
    assert found['config'] == LITE_CONFIG
    assert found['input_shape'] == [3, 64, 96]
    assert found['macs'] == sum(stage['macs'] for stage in found['stages'])
    assert found['stages'][-1]['output_shapes'] == [[17, 16, 24]]


def test_segmentation_is_measured_at_its_crop_without_weights(config):
    path = config(SEGMENTATION)
    found = measure_config(path)
    assert found.input_shape == (4, 64, 128)
    assert found.stages[-1].output_shapes == ((5, 16, 32),)


def test_no_weights_to_start_from_are_looked_for(repository):
    name = 'configs/pose/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192.py'
    cfg = load_config(str(repository / name), {})
    assert cfg.model.backbone.init_cfg.type == 'Pretrained'
    model = build_model(cfg, name)
    assert not any(
        'Pretrained' in str(getattr(module, 'init_cfg', ''))
        for module in model.modules()
    )
    assert cfg.model.backbone.init_cfg.type == 'Pretrained'


def test_input_size_is_that_of_the_decoder_in_use(repository):
    name = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
    cfg = load_config(str(repository / name), {})
    assert input_size(cfg, name) == (128, 96)


@pytest.fixture(scope='module')
def paper(run_tool) -> dict:
    """What ``--paper --json`` prints, as a user runs it."""
    done = run_tool('complexity.py', '--paper', '--json')
    assert done.returncode == 0, done.stderr
    assert '100%' in done.stderr
    return json.loads(done.stdout)


def test_the_table_of_the_paper(call_tool, monkeypatch):
    found = Measured(10**6, 10**8)
    monkeypatch.setattr(complexity_paper, 'measure_row', lambda row, root: found)
    done = call_tool('complexity.py', '--paper')
    assert done.returncode == 0, done.stderr
    rows = paper_rows(load_zoo(Path()))
    assert done.stdout.strip() == paper_text(rows, [found] * len(rows))


def test_the_paper_has_all_its_rows(paper):
    rows = [(row['network'], row['data'], *row['input_size']) for row in paper['rows']]
    nets = ('Lite-HRNet-18', 'Lite-HRNet-30')
    others = ('Small HRNet-W16', 'MobileNetV2', 'ShuffleNetV2')
    naive = ('Naive Lite-HRNet-18', 'Wider Naive Lite-HRNet-18')
    expected = [(net, 'COCO', 256, 192) for net in (*nets, *others, *naive)]
    expected += [(net, 'COCO', 384, 288) for net in (*nets, *others)]
    expected += [(net, 'MPII', 256, 256) for net in (*nets, *naive)]
    expected += [(net, 'Cityscapes', 512, 1024) for net in nets]
    assert sorted(rows) == sorted(expected)


def test_the_paper_and_we_agree_or_a_note_says_why(paper):
    unexplained = [
        (row['network'], row['data'], row['input_size'])
        for row in paper['rows']
        if abs(row['parameters']['difference']) > PARAMETERS_AGREE
        or abs(row['macs']['difference']) > MACS_AGREE
        if not row['note']
    ]
    assert unexplained == []


def test_the_metafiles_hold_what_was_measured(paper, repository):
    zoo = load_zoo(repository)
    known = {entry.config: (entry.parameters, entry.macs) for entry in zoo.entries}
    measured = {
        row['config']: (row['parameters']['measured'], row['macs']['measured'])
        for row in paper['rows']
        if row['config']
    }
    assert len(measured) == 16
    assert measured == {config: known[config] for config in measured}


def test_the_page_shows_the_table_as_it_is_printed(paper, repository):
    rows = paper_rows(load_zoo(repository))
    measured = [
        Measured(row['parameters']['measured'], row['macs']['measured'])
        for row in paper['rows']
    ]
    page = (repository / 'docs/complexity.md').read_text(encoding='utf-8')
    assert paper_text(rows, measured) in page


def test_recalled_numbers_carry_a_dagger(repository):
    rows = paper_rows(load_zoo(repository))
    table = paper_text(rows, [Measured(10**6, 10**8)] * len(rows)).splitlines()[2:]
    for row, line in zip(rows, table):
        assert line.startswith(row.network)
        assert line.count('†') == (2 if row.published.recalled else 0)


def test_a_system_without_config_is_its_backbone_alone(repository):
    (row, _) = [r for r in paper_rows(load_zoo(repository)) if r.config is None]
    # Without the 76,040 parameters of the iterative head; see facts of the backbone.
    assert measure_row(row, repository).parameters == 1_130_072 - 76_040


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([], ['config', '--paper']),
        ([LITE_CONFIG, '--paper'], ['config', '--paper']),
        (['--paper', '--shape', 64, 64], ['--shape']),
        ([LITE_CONFIG, '--shape', 0, 64], ['--shape', '0']),
        ([LITE_CONFIG, '--shape', 16, 64], [LITE_CONFIG, '16×64', 'at least 32']),
        (['configs/none.py'], ['configs/none.py', 'not found']),
    ],
)
def test_mistakes_get_one_line(call_tool, arguments, words):
    assert_one_line(call_tool('complexity.py', *arguments), *words)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('x = 1', ['no model']),
        (SEGMENTATION.replace('crop_size', 'size'), ['--shape HEIGHT WIDTH']),
        (SEGMENTATION.replace('FCNHead', 'NoHead'), ['cannot be built', 'NoHead']),
        (SEGMENTATION.replace('convs=1', 'convs=-1'), ['cannot be built', 'Assertion']),
    ],
)
def test_a_config_that_cannot_be_measured_gets_one_line(call_tool, config, text, words):
    if '--shape HEIGHT WIDTH' in words:
        text = text.replace(', size=size', '')
    assert_one_line(call_tool('complexity.py', config(text)), *words)
