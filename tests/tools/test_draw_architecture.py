"""``tools/draw_architecture.py``: its figures tell what the networks are."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import asdict

import matplotlib.figure
import pytest
from matplotlib.patches import FancyBboxPatch
from nets import PUBLISHED, mmpose_extra
from PIL import Image
from running import LITE_CONFIG, assert_one_line

from litehrnet_mm.analysis.architecture import stage_rows
from litehrnet_mm.analysis.architecture_walk import describe
from litehrnet_mm.analysis.tables import markdown_table
from litehrnet_mm.cli import UserError
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.blocks import ConditionalChannelWeighting, ShuffleUnit

SMALL_HRNET = 'configs/pose/coco/td-hm_small-hrnet-w16_8xb64-210e_coco-256x192.py'
CITYSCAPES = 'configs/seg/cityscapes/'
CITYSCAPES += 'fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'
SIZES = ((64, 48), (32, 24), (16, 12), (8, 6))


def facts_in(path) -> dict:
    """The facts that a drawn PNG holds."""
    return json.loads(Image.open(path).text['Description'])


def plain(facts) -> dict:
    """Facts as JSON has them."""
    return json.loads(json.dumps(asdict(facts)))


@pytest.fixture
def boxes(monkeypatch):
    """Texts in a figure that is saved, and the number of its boxes."""
    found = []
    save = matplotlib.figure.Figure.savefig

    def spy(figure, *args, **kwargs):
        for axes in figure.axes:
            patches = [p for p in axes.patches if isinstance(p, FancyBboxPatch)]
            found.append((Counter(t.get_text() for t in axes.texts), len(patches)))
        return save(figure, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, 'savefig', spy)
    return found


@pytest.mark.parametrize('arch', sorted(PUBLISHED))
def test_each_net_of_the_paper(arch, call_tool, tmp_path, boxes):
    modules, kind, widths = PUBLISHED[arch]
    out = tmp_path / 'new' / 'net.png'
    done = call_tool('draw_architecture.py', '--arch', arch, '--out', out)
    assert done.returncode == 0, done.stderr
    facts, net = facts_in(out), LiteHRNet(arch)
    assert facts == plain(describe(net, arch, (256, 192)))
    assert tuple(stage['modules'] for stage in facts['stages']) == modules
    last = facts['stages'][-1]
    assert tuple(last['channels']) == widths
    assert tuple(map(tuple, last['sizes'])) == SIZES
    assert facts['parameters'] == sum(p.numel() for p in net.parameters())
    kinds = ConditionalChannelWeighting if kind == 'LITE' else ShuffleUnit
    blocks = sum(isinstance(module, kinds) for module in net.modules())
    drawn = [(s['modules'], s['blocks']) for s in facts['stages']]
    count = max if kind == 'LITE' else sum  # a LITE block is on all branches
    assert blocks == sum(number * count(each) for number, each in drawn)
    texts, patches = boxes[0]
    # 18 blocks, stem, head; frames of the stages.
    assert patches == 2 * (2 + 3 + 4) + 2 + 4 + 3
    assert texts[str(widths[3])] == 2
    assert texts[f'{modules[1]} modules'] >= 1


def test_fusions_outputs_and_options(call_tool, tmp_path):
    out = tmp_path / 'a.png'
    done = call_tool(
        'draw_architecture.py', '--config', LITE_CONFIG, '--out', out,
        '--size', 128, 96, '--name', 'Mine', '--cfg-options',
        'model.backbone.with_head=False', 'model.backbone.out_indices=(0,1)',
        'model.backbone.fusion=plain',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = facts_in(out)
    assert (facts['name'], facts['image']) == ('Mine', [3, 128, 96])
    assert facts['outputs'] == [[0, 40, [32, 24]], [1, 80, [16, 12]]]
    assert (facts['head'], facts['fusion']) == ([], 'plain')
    last = facts['stages'][-1]
    assert len(last['fusions']) == 12
    pairs = [[j, i] for i in (0, 1) for j in range(4) if j != i]
    assert last['last_fusions'] == pairs


def test_configs_give_input_and_outputs(call_tool, tmp_path):
    out = tmp_path / 'a.png'
    done = call_tool('draw_architecture.py', '--config', CITYSCAPES, '--out', out)
    assert done.returncode == 0, done.stderr
    facts = facts_in(out)
    assert facts['image'] == [3, 512, 1024]
    assert [one[:2] for one in facts['outputs']] == list(
        map(list, enumerate((40, 80, 160, 320)))
    )


def test_small_hrnet(call_tool, tmp_path):
    out = tmp_path / 'a.png'
    done = call_tool('draw_architecture.py', '--config', SMALL_HRNET, '--out', out)
    assert done.returncode == 0, done.stderr
    facts = facts_in(out)
    assert facts['parameters'] == 1_284_672
    assert [s['modules'] for s in facts['stages']] == [1, 1, 1]
    assert facts['stages'][-1]['channels'] == [16, 32, 64, 128]
    assert facts['stages'][-1]['fusions'] == [[1, 0], [2, 0], [3, 0]]
    assert facts['stages'][0]['block'] == 'residual block'
    assert facts['upsampling'] == 'nearest'


def test_a_weighting_block_is_that_of_the_model():
    block = describe(LiteHRNet('litehrnet-18'), 'x', (256, 192)).weighting
    assert (block.halves, block.pooled) == ((20, 40, 80, 160), (8, 6))
    # H squeezes 300 channels by 8, F each half by 4.
    assert (block.cross_hidden, block.spatial_hidden) == (37, (5, 10, 20, 40))


def test_nets_of_other_shapes(tmp_path):
    extra = mmpose_extra((1, 2), 'LITE', (8, 16, 24), False, num_branches=(1, 3))
    facts = describe(LiteHRNet(extra), 'x', (64, 64))
    assert [stage.channels for stage in facts.stages] == [(8,), (8, 16, 24)]
    assert facts.stages[0].fusions == ()


@pytest.mark.parametrize('suffix', ['svg', 'pdf'])
def test_other_formats_are_the_same_each_time(suffix, call_tool, tmp_path):
    contents = []
    for _ in range(2):
        out = tmp_path / f'a.{suffix}'
        done = call_tool('draw_architecture.py', '--arch', 'litehrnet-30', '--out', out)
        assert done.returncode == 0, done.stderr
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]
    if suffix == 'svg':
        assert 'litehrnet-30' in ''.join(ElementTree.parse(out).getroot().itertext())


def test_the_documentation_is_up_to_date(repository):
    facts = describe(LiteHRNet('litehrnet-18'), 'litehrnet-18', (256, 192))
    picture = repository / 'docs/images/litehrnet-18.png'
    assert facts_in(picture) == plain(facts)
    assert picture.stat().st_size < 250_000
    page = (repository / 'docs/architecture.md').read_text(encoding='utf-8')
    table = re.search('<!-- stages of litehrnet-18 -->(.*?)<!--', page, re.DOTALL)
    assert table[1].strip() == markdown_table(stage_rows(facts))


def test_the_table(call_tool):
    done = call_tool('draw_architecture.py', '--arch', 'litehrnet-30', '--table')
    assert done.returncode == 0, done.stderr
    facts = describe(LiteHRNet('litehrnet-30'), 'litehrnet-30', (256, 192))
    assert done.stdout.strip() == markdown_table(stage_rows(facts))


def test_mistakes(call_tool, tmp_path):
    out = ('--out', tmp_path / 'a.png')
    arch = ('--arch', 'litehrnet-18')

    def fails(*words, more=()):
        assert_one_line(call_tool('draw_architecture.py', *more), *words)

    fails('--out FILE', '--table', more=arch)
    fails('with --config', more=(*arch, *out, '--cfg-options', 'a=1'))
    fails('16×16', more=(*arch, *out, '--size', 16, 16))
    fails('config not found', more=('--config', 'absent.py', *out))
    fails('cannot write', more=(*arch, '--out', f'{__file__}/a.png'))
    mobile = SMALL_HRNET.replace('small-hrnet-w16', 'mobilenetv2')
    fails('MobileNetV2', 'LiteHRNet and HRNet', more=('--config', mobile, *out))
    for options in (out, ('--arch', 'litehrnet-19', *out), (*arch, '--out', 'a.gif')):
        done = call_tool('draw_architecture.py', *options)
        assert done.returncode == 2
        assert 'Traceback' not in done.stderr


def test_hrnets_of_other_blocks_are_refused():
    class HRNet(LiteHRNet):
        """A net whose blocks are of an unknown kind."""

    net = HRNet('naive-litehrnet-18')
    net.stage0[0].layers[0][0].__class__ = type('Odd', (ShuffleUnit,), {})
    with pytest.raises(UserError, match='cannot be drawn: Odd'):
        describe(net, 'x', (64, 64))
