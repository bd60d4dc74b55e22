"""Everything LiteHRNet promises beyond agreeing with MMPose's."""

import copy
import logging
import subprocess
import sys
from collections import Counter

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import load_state_dict as mmengine_load_state_dict
from nets import (
    PUBLISHED,
    mmpose_extra,
    random_images,
    randomise,
    relative_difference,
    tiny_extra,
)
from torch import nn

from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.arch import ARCHS
from litehrnet_mm.models.blocks import ConditionalChannelWeighting, ShuffleUnit, Stem
from litehrnet_mm.models.layers import LayerCfg
from litehrnet_mm.models.module import Fusion

TYPES = ('LITE', 'NAIVE')
OUT_INDICES = [(0,), (3,), (1, 2), (0, 3), (0, 1, 2, 3)]


def tiny(module_type: str = 'LITE', **kwargs) -> LiteHRNet:
    return randomise(LiteHRNet(tiny_extra(module_type), **kwargs))


# ---------------------------------------------------------------- architecture


@pytest.mark.parametrize('name', sorted(PUBLISHED))
def test_a_name_and_mmposes_extra_are_the_same_net(name):
    extra = mmpose_extra(*PUBLISHED[name])
    before = copy.deepcopy(extra)
    by_extra = LiteHRNet(extra=extra)
    as_arch = LiteHRNet(extra, in_channels=3)
    assert by_extra.arch == as_arch.arch == LiteHRNet(name).arch == ARCHS[name]
    assert extra == before


def test_with_head_is_told_by_extra_and_overridden_by_the_argument():
    assert LiteHRNet(tiny_extra()).with_head
    assert not LiteHRNet(tiny_extra(with_head=False)).with_head
    assert LiteHRNet(tiny_extra(with_head=False), with_head=True).with_head
    assert not LiteHRNet(tiny_extra(), with_head=False).with_head


@pytest.mark.parametrize(
    ('kwargs', 'named'),
    [
        (dict(arch='litehrnet-19'), ['litehrnet-19', 'litehrnet-18']),
        (dict(arch=18), ['int']),
        (dict(arch='litehrnet-18', extra=tiny_extra()), ['both']),
        (dict(out_indices=(4,)), ['(4,)', '0 to 3']),
        (dict(out_indices=(-1,)), ['(-1,)']),
        (dict(out_indices=(1, 0)), ['ascending']),
        (dict(out_indices=(0, 0)), ['distinct']),
        (dict(out_indices=()), ['()']),
        (dict(out_indices=0), ['out_indices', '0 to 3']),
        (dict(extra={}), ['stages_spec']),
        (dict(out_indices=(0.0,)), ['out_indices', '0.0']),
        (dict(frozen_stages='1'), ["'1'", '-1 to 3']),
        (dict(norm_cfg='BN'), ['norm_cfg', "'BN'"]),
        (dict(conv_cfg={}), ['conv_cfg', '{}']),
        (dict(arch=mmpose_extra(num_modules=2)), ['num_modules', '2']),
        (dict(frozen_stages=4), ['4', '-1 to 3']),
        (dict(in_channels=0), ['in_channels', '0']),
        (dict(fusion='textbook'), ['textbook', 'released', 'plain']),
        (dict(arch=mmpose_extra(widths=(41, 80, 160, 320))), ['41', 'even']),
        (dict(arch={**tiny_extra(), 'norm': 1}), ["'norm'", 'stages_spec']),
        (dict(arch={'stem': {}}), ['num_stages', 'stages_spec']),
        (dict(arch=mmpose_extra(num_modules=(2, 4))), ['num_modules', '(2, 4)']),
        (dict(arch=mmpose_extra(module_type='HEAVY')), ['HEAVY', 'NAIVE']),
        (dict(arch=mmpose_extra(num_branches=(3, 2, 4))), ['[3, 2, 4]']),
        (dict(arch=mmpose_extra(num_modules=(0, 4, 2))), ['num_modules', '0']),
    ],
)
def test_wrong_arguments_name_the_value_and_what_is_allowed(kwargs, named):
    with pytest.raises((ValueError, TypeError)) as caught:
        LiteHRNet(**kwargs)
    message = str(caught.value)
    assert all(word in message for word in named), message
    assert '\n' not in message


@pytest.mark.parametrize('stem', [dict(stem_channels=31), dict(out_channels=16)])
def test_wrong_stems_are_refused(stem):
    extra = tiny_extra()
    extra['stem'].update(stem)
    with pytest.raises(ValueError, match='|'.join(stem)):
        LiteHRNet(extra)


def test_a_stem_may_widen():
    extra = tiny_extra()
    extra['stem'] = dict(stem_channels=16, out_channels=24, expand_ratio=2)
    out = LiteHRNet(extra).stem(random_images(1, 3, 64, 64))
    assert out.shape == (1, 24, 16, 16)


@pytest.mark.parametrize(
    'shape', [(3, 64, 64), (1, 4, 64, 64), (1, 3, 16, 64), (1, 3, 64, 31)]
)
def test_wrong_inputs_are_refused(shape):
    with pytest.raises(ValueError, match='LiteHRNet takes') as caught:
        tiny()(random_images(*shape))
    assert '×'.join(map(str, shape[-2:])) in str(caught.value) or str(shape) in str(
        caught.value
    )


def test_one_value_per_channel_cannot_train_batchnorm():
    net = tiny()
    for images in (random_images(2, 3, 32, 32), random_images(1, 3, 32, 33)):
        assert net(images)[0].isfinite().all()
    with pytest.raises(ValueError, match='one image of 32×32 pixels: BatchNorm'):
        net(random_images(1, 3, 32, 32))
    for able in (
        tiny(norm_eval=True).train(),
        tiny(norm_cfg=dict(type='GN', num_groups=1)),
        net.eval(),
    ):
        assert able(random_images(1, 3, 32, 32))[0].isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_the_stem_stays_in_float32_under_bfloat16(dtype):
    net, images = tiny().eval(), random_images(1, 3, 64, 64)
    found = []
    net.stem.register_forward_hook(lambda module, inputs, output: found.append(output))
    expected = net.stem(images)
    with torch.autocast('cpu', dtype=dtype):
        assert net(images)[0].dtype == dtype
    if dtype == torch.bfloat16:
        assert torch.equal(found[-1], expected)
    else:
        assert found[-1].dtype == torch.float16


# --------------------------------------------------------------------- outputs


@pytest.mark.parametrize('arch', sorted(PUBLISHED))
@pytest.mark.parametrize('with_head', [True, False])
@pytest.mark.parametrize('size', [(32, 32), (33, 47), (250, 190), (96, 64)])
def test_outputs_of_any_size(arch, with_head, size):
    net = LiteHRNet(arch, out_indices=(0, 1, 2, 3), with_head=with_head).eval()
    with torch.no_grad():
        outputs = net(random_images(1, 3, *size))
    widths = ARCHS[arch].stages[-1].num_channels
    expected = (widths[0], *widths[:-1]) if with_head else widths
    assert net.out_channels == expected
    for i, (y, channels) in enumerate(zip(outputs, expected)):
        # Each halving rounds up, so that no pixel is lost.
        assert y.shape == (1, channels, *(-(-side // 2 ** (i + 2)) for side in size))
        assert y.isfinite().all()


@pytest.mark.parametrize('module_type', TYPES)
@pytest.mark.parametrize('fusion', ['released', 'plain'])
@pytest.mark.parametrize('with_head', [True, False])
@pytest.mark.parametrize('out_indices', OUT_INDICES)
def test_a_smaller_net_computes_the_same(module_type, fusion, with_head, out_indices):
    """What is not built has no influence on what is asked for."""
    kwargs = dict(fusion=fusion, with_head=with_head)
    full = tiny(module_type, out_indices=(0, 1, 2, 3), **kwargs)
    part = LiteHRNet(tiny_extra(module_type), out_indices=out_indices, **kwargs)
    part.load_state_dict(full.state_dict(), strict=True)
    images = random_images(2, 3, 70, 50)
    with torch.no_grad():
        every, some = full.eval()(images), part.eval()(images)
    for i, y in zip(out_indices, some):
        torch.testing.assert_close(y, every[i], rtol=0, atol=0)


@pytest.mark.parametrize('module_type', TYPES)
@pytest.mark.parametrize('fusion', ['released', 'plain'])
@pytest.mark.parametrize('with_head', [True, False])
@pytest.mark.parametrize('with_fuse', [True, False])
@pytest.mark.parametrize('out_indices', OUT_INDICES)
def test_every_parameter_gets_a_gradient(
    module_type, fusion, with_head, with_fuse, out_indices
):
    """Which is what DistributedDataParallel asks for by default."""
    extra = tiny_extra(module_type, with_fuse=with_fuse)
    net = LiteHRNet(extra, out_indices=out_indices, with_head=with_head, fusion=fusion)
    sum(y.square().sum() for y in net(random_images(2, 3, 64, 64))).backward()
    without = [k for k, p in net.named_parameters() if p.grad is None]
    assert without == []


def test_one_branch_runs_all_its_blocks():
    extra = mmpose_extra((1,), 'NAIVE', (16,), num_branches=(1,))
    net = LiteHRNet(extra, with_head=False)
    calls = []
    for block in net.stage0[0].layers[0]:
        block.register_forward_hook(lambda *_: calls.append(1))
    net(random_images(2, 3, 32, 32))
    assert len(calls) == 2


def test_fusion_is_the_written_formula():
    """Against the sums of the docstring, by an in-place loop as released."""
    channels = (4, 6, 8)
    fusion = Fusion(channels, LayerCfg(), (0, 1, 2), 'released').eval()
    plain = Fusion(channels, LayerCfg(), (0, 1, 2), 'plain').eval()
    plain.load_state_dict(randomise(fusion).state_dict())
    o = [random_images(1, c, 16 >> i, 16 >> i) for i, c in enumerate(channels)]

    def f(i: int, j: int, x: torch.Tensor) -> torch.Tensor:
        y = fusion[i][j](x)
        return (
            y.repeat_interleave(2 ** (j - i), 2).repeat_interleave(2 ** (j - i), 3)
            if j > i
            else y
        )

    y0 = 2 * o[0] + f(0, 1, o[1]) + f(0, 2, o[2])
    y1 = 2 * f(1, 0, y0) + o[1] + f(1, 2, o[2])
    y2 = 2 * f(2, 0, y0) + f(2, 1, o[1]) + o[2]
    with torch.no_grad():
        for y, expected in zip(fusion(o), (y0, y1, y2)):
            torch.testing.assert_close(y, expected.relu())
        for i, y in enumerate(plain(o)):
            terms = [f(i, j, o[j]) if j != i else o[i] for j in range(3)]
            torch.testing.assert_close(y, sum(terms).relu())


@pytest.mark.parametrize('fusion', ['released', 'plain'])
def test_nets_of_both_fusions_have_the_same_weights_and_differ(fusion):
    default, net = tiny().eval(), LiteHRNet(tiny_extra(), fusion=fusion).eval()
    net.load_state_dict(default.state_dict(), strict=True)
    images = random_images(1, 3, 64, 64)
    with torch.no_grad():
        same = torch.equal(net(images)[0], default(images)[0])
    assert same == (fusion == 'released')


def test_the_input_is_left_alone():
    images = random_images(2, 3, 64, 64)
    before = images.clone()
    tiny()(images)
    assert torch.equal(images, before)


# -------------------------------------------------------------- loading weights


@pytest.mark.parametrize('load', ['torch', 'mmengine', 'nested'])
def test_a_released_checkpoint_loads_and_what_is_left_out_is_said(load, caplog):
    full = tiny(out_indices=(0, 1, 2, 3))
    part = LiteHRNet(tiny_extra(), out_indices=(0,), with_head=False)
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        if load == 'torch':
            part.load_state_dict(full.state_dict(), strict=True)
        elif load == 'mmengine':
            mmengine_load_state_dict(part, full.state_dict(), strict=True)
        else:
            outer = nn.ModuleDict(dict(backbone=part, other=nn.Linear(1, 1)))
            weights = nn.ModuleDict(dict(backbone=full, other=nn.Linear(1, 1)))
            outer.load_state_dict(weights.state_dict(), strict=True)
    logger.removeHandler(caplog.handler)
    parts = [f'stage2.1.fuse_layers.{i}' for i in (1, 2, 3)]
    assert ', '.join(['in head_layer', *parts]) in caplog.text
    assert torch.equal(part.stem.conv1.conv.weight, full.stem.conv1.conv.weight)


def test_foreign_weights_are_still_refused():
    net = tiny(out_indices=(0,), with_head=False)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*layer9'):
        net.load_state_dict({**net.state_dict(), 'layer9.weight': torch.ones(1)})
    weights = net.state_dict()
    del weights['stem.conv1.conv.weight']
    with pytest.raises(RuntimeError, match=r'Missing key.*stem\.conv1'):
        net.load_state_dict(weights)


def test_the_published_initialisation_is_applied():
    net = LiteHRNet(tiny_extra())
    net.init_weights()
    weight = net.stage0[0].fuse_layers[0][1][0].weight
    assert 0.0005 < weight.std() < 0.002
    assert net.stem.conv1.bn.weight.eq(1).all()


def test_pretrained_initialisation_takes_the_backbone_out_of_a_pose_net(tmp_path):
    source = tiny()
    weights = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'pose.pth')
    init = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'pose.pth'), prefix='backbone.'
    )
    net = LiteHRNet(tiny_extra(), init_cfg=init)
    net.init_weights()
    for key, value in net.state_dict().items():
        assert torch.equal(value, source.state_dict()[key]), key


# ------------------------------------------------------------------ the options


def test_every_channel_of_the_input_counts():
    net = tiny(in_channels=5).eval()
    images = random_images(1, 5, 64, 64)
    with torch.no_grad():
        (expected,) = net(images)
        for channel in range(5):
            others = images.clone()
            others[:, channel] += 1
            assert not torch.equal(net(others)[0], expected)


def count_runs(net: LiteHRNet) -> Counter[str]:
    """How often each layer of stem and blocks runs, counted from now on."""
    runs = Counter()
    for name, block in net.named_modules():
        if isinstance(block, (Stem, ConditionalChannelWeighting, ShuffleUnit)):
            for part, layer in block.named_modules(prefix=name):
                if isinstance(layer, nn.Conv2d):
                    layer.register_forward_hook(
                        lambda *_, part=part: runs.update([part])
                    )
    return runs


@pytest.mark.parametrize('arch', sorted(PUBLISHED))
@pytest.mark.parametrize('with_head', [True, False])
def test_checkpointing_changes_no_output_and_no_gradient(arch, with_head):
    kwargs = dict(with_head=with_head, out_indices=(0, 1))
    plain = randomise(LiteHRNet(arch, **kwargs))
    frugal = LiteHRNet(arch, with_cp=True, **kwargs)
    frugal.load_state_dict(plain.state_dict())
    images = random_images(2, 3, 64, 64)
    runs = [count_runs(net) for net in (plain, frugal)]
    for net in (plain, frugal):
        net.outputs = net(images)
        sum(y.square().mean() for y in net.outputs).backward()
    assert set(runs[0].values()) == {1}
    assert set(runs[1].values()) == {2}
    parts = {name.partition('.')[0] for name in runs[1]}
    assert parts == {'stem', *(f'stage{k}' for k in range(len(frugal.arch.stages)))}
    for a, b in zip(plain.outputs, frugal.outputs):
        assert torch.equal(a, b)
    gradients = dict(plain.named_parameters())
    for key, parameter in frugal.named_parameters():
        assert torch.equal(parameter.grad, gradients[key].grad), key


@pytest.mark.parametrize('frozen', [-1, 0, 1, 3])
def test_frozen_stages_stay_as_they_are(frozen):
    net = tiny(frozen_stages=frozen)
    names = ['stem']
    names += [f'{part}{i}' for i in range(frozen) for part in ('transition', 'stage')]
    is_frozen = {
        key: frozen >= 0 and key.split('.')[0] in names for key in net.state_dict()
    }
    before = copy.deepcopy(net.state_dict())
    assert net.train() is net
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)
    net(random_images(2, 3, 64, 64))[0].square().sum().backward()
    optimizer.step()
    for key, value in net.state_dict().items():
        if is_frozen[key]:
            assert torch.equal(value, before[key]), key
        elif key.endswith('running_mean'):
            assert not torch.equal(value, before[key]), key
    for key, parameter in net.named_parameters():
        assert parameter.requires_grad != is_frozen[key], key


def test_norm_eval_keeps_statistics_while_weights_train():
    net = tiny(norm_eval=True).train()
    before = net.stem.conv1.bn.running_mean.clone()
    net(random_images(2, 3, 64, 64))[0].sum().backward()
    assert net.training
    assert torch.equal(net.stem.conv1.bn.running_mean, before)
    assert net.stem.conv1.bn.weight.grad is not None
    assert tiny().train().stem.conv1.bn.training


def test_train_and_eval_return_the_net():
    net = tiny()
    assert net.train() is net
    assert net.eval() is net
    assert not any(module.training for module in net.modules())


class MarkedConv(nn.Conv2d):
    """A convolution that ``conv_cfg`` can ask for."""


@pytest.mark.parametrize('module_type', TYPES)
def test_conv_cfg_reaches_every_convolution(module_type):
    from mmengine.registry import MODELS

    conv_cfg = dict(type='MarkedConv')
    with MODELS.switch_scope_and_registry('mmengine'):
        MODELS.register_module(name='MarkedConv', module=MarkedConv, force=True)
    net = LiteHRNet(tiny_extra(module_type), conv_cfg=conv_cfg)
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) > 100 if module_type == 'LITE' else len(convs) > 60
    assert {type(m) for m in convs} == {MarkedConv}
    assert conv_cfg == dict(type='MarkedConv')


@pytest.mark.parametrize('module_type', TYPES)
@pytest.mark.parametrize(
    ('norm_cfg', 'kind'),
    [
        (dict(type='BN', momentum=0.03), nn.BatchNorm2d),
        (dict(type='SyncBN'), nn.SyncBatchNorm),
        (dict(type='GN', num_groups=1), nn.GroupNorm),
    ],
)
def test_norm_cfg_reaches_every_normalisation(module_type, norm_cfg, kind):
    before = dict(norm_cfg)
    net = LiteHRNet(tiny_extra(module_type), norm_cfg=norm_cfg)
    norms = [
        m
        for m in net.modules()
        if isinstance(m, (nn.modules.batchnorm._BatchNorm, nn.GroupNorm))
    ]
    assert all(isinstance(m, kind) for m in norms)
    reference = LiteHRNet(tiny_extra(module_type))
    counted = [m for m in reference.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len(counted)
    assert norm_cfg == before
    if kind is nn.BatchNorm2d:
        assert {m.momentum for m in norms} == {0.03}
    if kind is not nn.SyncBatchNorm:  # which runs on several GPUs only
        net(random_images(2, 3, 64, 64))[0].sum().backward()


def test_narrow_nets_keep_their_squeeze_layers():
    net = LiteHRNet(mmpose_extra((1, 1, 1), widths=(2, 4, 6, 8)))
    assert all(p.numel() > 0 for p in net.parameters())
    assert net(random_images(2, 3, 64, 64))[0].isfinite().all()


# --------------------------------------------------- what PyTorch does to models


@pytest.mark.parametrize('module_type', TYPES)
def test_torch_export_with_any_batch(module_type):
    net = tiny(module_type, out_indices=(0, 3)).eval()
    batch = torch.export.Dim('batch', min=1, max=64)
    program = torch.export.export(
        net, (random_images(2, 3, 64, 96),), dynamic_shapes=({0: batch},)
    )
    images = random_images(5, 3, 64, 96, seed=3)
    with torch.no_grad():
        for y, e in zip(program.module()(images), net(images)):
            assert relative_difference(y, e) <= 1e-6


@pytest.mark.parametrize('module_type', TYPES)
def test_channels_last(module_type):
    net = tiny(module_type).eval()
    images = random_images(2, 3, 70, 50)
    with torch.no_grad():
        expected = net(images)[0]
        net.to(memory_format=torch.channels_last)
        y = net(images.to(memory_format=torch.channels_last))[0]
    assert relative_difference(y, expected) <= 1e-5


@pytest.mark.parametrize('module_type', TYPES)
def test_bfloat16_autocast_trains(module_type):
    net = tiny(module_type).train()
    images = random_images(2, 3, 64, 64)
    expected = net(images)[0]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = net(images)[0]
    # bfloat16 has 8 bits of mantissa; BatchNorm on few pixels amplifies its rounding.
    difference = (y.float() - expected).norm() / expected.norm()
    assert difference < 0.1
    y.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_deepcopy_and_pickle_round_trip(tmp_path):
    net = tiny().eval()
    torch.save(net, tmp_path / 'net.pt')
    images = random_images(1, 3, 64, 64)
    with torch.no_grad():
        expected = net(images)[0]
        for again in (
            copy.deepcopy(net),
            torch.load(tmp_path / 'net.pt', weights_only=False),
        ):
            assert torch.equal(again(images)[0], expected)


def test_models_need_neither_mmpose_nor_mmsegmentation():
    code = (
        'import sys, litehrnet_mm.models; '
        "print([m for m in ('mmpose', 'mmseg', 'mmdet') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == '[]'


@pytest.fixture
def process_group(tmp_path):
    """A group of this process alone."""
    store = f'file://{tmp_path}/store'
    torch.distributed.init_process_group('gloo', store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize('arch', sorted(PUBLISHED))
@pytest.mark.parametrize('with_head', [True, False])
def test_distributed_training_needs_no_search_for_unused_parameters(
    process_group, arch, with_head
):
    net = LiteHRNet(arch, with_head=with_head)
    ddp = nn.parallel.DistributedDataParallel(net, find_unused_parameters=False)
    for _ in range(2):  # the second step fails if the first left a gradient out
        ddp(random_images(2, 3, 64, 64))[0].sum().backward()
    assert all(p.grad is not None for p in net.parameters())
