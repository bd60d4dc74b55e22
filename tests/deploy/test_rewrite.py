"""The inference form computes what the original computes, for less."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from nets import (
    PUBLISHED,
    mmpose_extra,
    random_images,
    randomise,
    relative_difference,
    settle,
    tiny_extra,
)
from operators import count_operators
from torch import nn

from litehrnet_mm.deploy import rewrite
from litehrnet_mm.deploy.layout import Layout
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.layers import channel_shuffle

FORMS = {
    'eager': dict(),
    'graph': dict(form='graph'),
    'padded': dict(form='graph', channel_block=16),
    'broadcast': dict(form='graph', gates='broadcast'),
    'any size': dict(form='graph', any_size=True),
    'eager, any size': dict(any_size=True, channel_block=8),
}
WAYS = [
    dict(),
    dict(fusion='plain'),
    dict(with_head=False, out_indices=(0, 1, 2, 3)),
    dict(with_head=False, out_indices=(1,)),
    dict(with_head=False, out_indices=(3,), fusion='plain'),
    dict(with_head=False, out_indices=(0, 3), fusion='plain'),
    dict(out_indices=(2, 3)),
]
# Whole multiples of the coarsest map's pixels, and not: windows are cut off then.
SIZES = [(64, 96), (256, 192), (33, 200), (97, 75), (70, 66)]


def tiny(module_type: str = 'LITE', dtype=torch.float64, **kwargs) -> LiteHRNet:
    net = randomise(LiteHRNet(tiny_extra(module_type), **kwargs))
    return net.to(dtype).train(False)


def assert_equal(new: nn.Module, old: nn.Module, images: torch.Tensor, within: float):
    with torch.no_grad():
        found, expected = new(images), old(images)
    assert len(found) == len(expected)
    for y, wanted in zip(found, expected):
        assert y.shape == wanted.shape
        assert y.dtype == wanted.dtype
        assert relative_difference(y, wanted) <= within


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('kwargs', WAYS, ids=str)
@pytest.mark.parametrize('module_type', ['LITE', 'NAIVE'])
def test_outputs_are_equal_in_double_precision(module_type, kwargs, form):
    net = tiny(module_type, **kwargs)
    new = rewrite(net, **FORMS[form])
    for batch, size in enumerate(SIZES, 1):
        images = random_images(batch % 2 + 1, 3, *size, dtype=torch.float64)
        assert_equal(new, net, images, 1e-10)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('name', sorted(PUBLISHED))
def test_outputs_of_published_nets_are_equal_in_single_precision(name, form):
    net = randomise(LiteHRNet(name, out_indices=(0, 1, 2, 3), with_head=False))
    settle(net, random_images(2, 3, 128, 96, seed=2))
    new = rewrite(net, **FORMS[form])
    for size in ((256, 192), (75, 97)):
        assert_equal(new, net, random_images(2, 3, *size), 1e-5)


@pytest.mark.parametrize(
    'extra',
    [
        mmpose_extra((1, 2, 1), 'LITE', (8, 16, 24, 32), with_fuse=False),
        mmpose_extra((2, 1, 1), 'NAIVE', (8, 16, 24, 32), with_fuse=False),
        mmpose_extra((2, 1), 'LITE', (32, 6), num_branches=(1, 2)),
        mmpose_extra((1, 1), 'NAIVE', (10, 14, 22), num_branches=(2, 3)),
    ],
    ids=['no fusion', 'naive, no fusion', 'one branch, stem kept', 'narrow'],
)
@pytest.mark.parametrize('form', FORMS)
def test_nets_that_nobody_published(extra, form):
    indices = range(extra['stages_spec']['num_branches'][-1])
    net = LiteHRNet(extra, out_indices=indices, with_head=False, in_channels=1)
    net = randomise(net).double().train(False)
    new = rewrite(net, **FORMS[form])
    for size in ((64, 32), (75, 34)):
        images = random_images(2, 1, *size, dtype=torch.float64)
        assert_equal(new, net, images, 1e-10)


def test_forms_differ_in_what_they_are_asked_to():
    net = tiny(dtype=torch.float32)
    made = {name: rewrite(net, **options) for name, options in FORMS.items()}
    images = random_images(1, 3, 64, 64)
    operators = {name: count_operators(new, images) for name, new in made.items()}
    assert operators['eager'] < operators['broadcast'] < operators['graph']
    for name, block in (('graph', 1), ('padded', 16)):
        weights = [v for v in made[name].state_dict().values() if v.dim() == 4]
        assert any(len(weight) % 8 for weight in weights) == (block == 1)
    # A graph that is recorded at one size, and run at another.
    other = random_images(1, 3, 97, 75)
    recorded = torch.jit.trace(made['any size'], images, check_trace=False)
    assert_equal(recorded, net, other, 1e-4)


def test_widths_that_change_between_stages():
    extra = tiny_extra()
    extra['stages_spec']['num_channels'] = ((8, 16), (12, 16, 24), (12, 20, 24, 32))
    net = LiteHRNet(extra, out_indices=(0, 1, 2, 3), with_head=False)
    net = randomise(net).double().train(False)
    images = random_images(1, 3, 64, 96, dtype=torch.float64)
    assert_equal(rewrite(net), net, images, 1e-10)


def test_half_the_operators_of_mmpose():
    from mmpose.models.backbones.litehrnet import LiteHRNet as MMPoseLiteHRNet

    theirs = randomise(MMPoseLiteHRNet(mmpose_extra()))
    theirs.train(False)
    ours = LiteHRNet('litehrnet-18')
    ours.load_state_dict(theirs.state_dict())
    new = rewrite(ours.train(False))
    images = random_images(1, 3, 256, 192)
    assert_equal(new, theirs, images, 1e-4)
    counts = [count_operators(net, images) for net in (new, theirs)]
    assert counts[0] <= 0.5 * counts[1]


def test_layouts_follow_the_shuffle():
    x = torch.arange(12.0).view(1, 12, 1, 1)
    layout = Layout.plain(12)
    for _ in range(3):
        x = channel_shuffle(*x.chunk(2, dim=1))
        layout = layout.shuffled()
        held = torch.arange(12.0).view(1, 12, 1, 1)
        assert torch.equal(layout.restore(held), x)
    start = Layout.plain(12, 8).ending_plain(3)
    assert sorted(start.order) == [-1] * 4 + list(range(12))
    assert start.shuffled().shuffled().shuffled() == Layout.plain(12, 8)


def test_the_original_is_left_alone_and_rewriting_again_changes_nothing():
    model = nn.Sequential(tiny(dtype=torch.float32), Finest()).train(False)
    before = copy.deepcopy(model.state_dict())
    new = rewrite(model)
    assert new is not model
    assert isinstance(model[0], LiteHRNet)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    again = rewrite(new)
    assert again is not new
    state = again.state_dict()
    assert state.keys() == new.state_dict().keys()
    assert all(torch.equal(v, state[k]) for k, v in new.state_dict().items())
    assert rewrite(model, inplace=True) is model
    assert not isinstance(model[0], LiteHRNet)


class Finest(nn.Module):
    """A head on the finest branch."""

    def __init__(self):
        super().__init__()
        norm = dict(type='BN')
        self.layers = nn.Sequential(
            ConvModule(8, 4, 3, norm_cfg=norm),
            nn.Conv2d(4, 4, 1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.ConvTranspose2d(4, 4, 2),
            nn.BatchNorm2d(4),
        )

    def forward(self, branches):
        """Map the finest branch."""
        return (self.layers(branches[0]),)


def test_heads_are_folded_where_that_is_exact():
    model = randomise(nn.Sequential(tiny(dtype=torch.float32), Finest()))
    model.double().train(False)
    new = rewrite(model)
    kinds = [type(layer) for layer in new[1].layers]
    assert kinds[2] is nn.Identity
    assert kinds[5] is nn.BatchNorm2d  # of a transposed convolution
    assert not [m for m in new[1].layers[0].modules() if type(m) is nn.BatchNorm2d]
    images = random_images(2, 3, 64, 64, dtype=torch.float64)
    assert_equal(new, model, images, 1e-10)


def test_data_type_is_kept():
    new = rewrite(tiny(dtype=torch.bfloat16))
    assert {p.dtype for p in new.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad for p in new.parameters())
    assert not new.training


def test_gradients_reach_the_image():
    net = tiny()
    new = rewrite(net)
    images = random_images(1, 3, 64, 64, dtype=torch.float64)
    found = []
    for model in (net, new):
        x = images.clone().requires_grad_()
        model(x)[0].square().mean().backward()
        found.append(x.grad)
    assert relative_difference(found[1], found[0]) <= 1e-9


@pytest.mark.parametrize(
    ('net', 'kwargs', 'words'),
    [
        (lambda: tiny().train(), {}, 'evaluation mode'),
        (lambda: tiny(norm_cfg=dict(type='GN', num_groups=1)), {}, 'GroupNorm'),
        (lambda: tiny(conv_cfg=dict(type='Conv2dAdaptivePadding')), {}, 'AdaptiveP'),
        (lambda: rewrite(tiny()), dict(form='graph'), 'another form before'),
        (lambda: nn.Sequential(rewrite(tiny())).eval(), dict(any_size=True), 'another'),
        (tiny, dict(channel_block=1.5), 'whole number'),
        (tiny, dict(form='onnx'), "form must be one of .*'onnx'"),
        (tiny, dict(gates='open'), "gates must be one of .*'open'"),
        (tiny, dict(channel_block=0), 'channel_block must be at least 1'),
    ],
)
def test_what_has_no_exact_form_is_refused(net, kwargs, words):
    with pytest.raises(ValueError, match=words):
        rewrite(net(), **kwargs)


def test_one_part_in_training_mode_is_refused():
    model = nn.Sequential(tiny(), Finest()).eval()
    model[0].stem.conv1.norm.train()
    with pytest.raises(ValueError, match='evaluation mode'):
        rewrite(model)
