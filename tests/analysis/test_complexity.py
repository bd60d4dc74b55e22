"""The counter against small networks whose numbers are computed by hand."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS as POSE_MODELS
from mmseg.registry import MODELS as SEG_MODELS
from torch import nn

from litehrnet_mm.analysis import measure
from litehrnet_mm.models import LiteHRNet

# (layer, shape of its input): parameters, MACs, elements put out.
LAYERS = {
    # 27 weights for each of 8 channels at 6×5 places, and 8 biases.
    'conv': (nn.Conv2d(3, 8, 3, padding=1), (3, 6, 5), 224, 8 * 27 * 30, 240),
    'biasless': (nn.Conv2d(3, 8, 3, padding=1, bias=False), (3, 6, 5), 216, 6480, 240),
    'pointwise': (nn.Conv2d(6, 10, 1), (6, 4, 4), 70, 6 * 10 * 16, 160),
    # 7×6 becomes 4×3.
    'strided': (nn.Conv2d(4, 6, 3, 2, 1), (4, 7, 6), 222, 6 * 36 * 12, 72),
    'depthwise': (nn.Conv2d(4, 4, 3, 2, 1, groups=4), (4, 7, 6), 40, 4 * 9 * 12, 48),
    # Two groups: each output sees half of the inputs.
    'grouped': (nn.Conv2d(4, 6, 3, padding=1, groups=2), (4, 5, 5), 114, 2700, 150),
    # A 3×3 kernel that spans 5×5: 8×8 becomes 4×4.
    'dilated': (nn.Conv2d(2, 3, 3, dilation=2), (2, 8, 8), 57, 3 * 18 * 16, 48),
    # Each of 5×4 inputs meets all of the kernel; 10×8 come out.
    'deconvolution': (
        nn.ConvTranspose2d(3, 2, 4, 2, 1),
        (3, 5, 4),
        98,
        20 * 3 * 2 * 16,
        160,
    ),
    # A linear layer over the last dimension, of 3×4 vectors.
    'linear': (nn.Linear(7, 5), (3, 4, 7), 40, 12 * 35, 60),
}


@pytest.mark.parametrize('name', LAYERS)
def test_layers_count_as_by_hand(name):
    layer, shape, parameters, macs, activations = LAYERS[name]
    found = measure(layer, shape)
    assert found.input_shape == shape
    assert (found.parameters, found.activations) == (parameters, activations)
    assert (found.macs, found.macs_once) == (macs, macs)
    assert found.not_counted == ()


class _Products(nn.Module):
    """Matrix products that are no layers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 7))

    def forward(self, x):
        x = x.flatten(1, 2)  # (N, 3·4, 5)
        gram = torch.bmm(x, x.transpose(1, 2))  # 12·5·12
        mixed = torch.einsum('nij,njk->nik', gram, x)  # 12·12·5
        return mixed @ self.weight  # 12·5·7


def test_products_count_as_by_hand():
    found = measure(_Products(), (3, 4, 5))
    assert found.macs == found.macs_once == 720 + 720 + 420
    assert found.activations == 144 + 60 + 84
    assert [stage.name for stage in found.stages] == ['(itself)']


def test_what_is_no_product_costs_parameters_only():
    net = nn.Sequential(
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Sigmoid(),
    )
    found = measure(net, (3, 8, 8))
    assert (found.parameters, found.macs, found.activations) == (6, 0, 0)


class _Repeated(nn.Module):
    """A layer called three times, and a block called twice that calls one twice."""

    def __init__(self):
        super().__init__()
        self.thrice = nn.Conv2d(4, 4, 3, padding=1)
        self.block = _Twice()
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        for _ in range(3):
            x = self.thrice(x)
        return self.last(self.block(self.block(x)))


class _Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.layer(self.layer(x)) * F.relu(x)


def test_repeated_layers_count_once_and_as_executed():
    found = measure(_Repeated(), (4, 5, 6))
    conv, pointwise, last = 4 * 36 * 30, 4 * 4 * 30, 2 * 4 * 30
    assert found.macs == 3 * conv + 4 * pointwise + last
    assert found.macs_once == conv + pointwise + last
    assert found.activations == 7 * 120 + 60
    assert found.parameters == 148 + 20 + 10
    assert [(s.name, s.macs, s.macs_once, s.output_shapes) for s in found.stages] == [
        ('thrice', 3 * conv, conv, ((4, 5, 6),)),
        ('block', 4 * pointwise, pointwise, ((4, 5, 6),)),
        ('last', last, last, ((2, 5, 6),)),
    ]


class _Shared(nn.Module):
    """One layer under two names, and a parameter of the network itself."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))
        self.first = nn.Linear(5, 5, bias=False)
        self.second = nn.Sequential(self.first, nn.ReLU())

    def forward(self, x):
        return {'out': [self.second(self.first(x * self.scale))]}


def test_shared_layers_have_their_parameters_once():
    found = measure(_Shared(), (2, 3, 5))
    assert (found.parameters, found.macs, found.macs_once) == (30, 300, 150)
    assert sum(stage.parameters for stage in found.stages) == 30
    assert sum(stage.macs for stage in found.stages) == 300
    assert found.stages[-1].name == '(itself)'
    assert found.stages[-1].parameters == 5


def test_a_product_that_cannot_be_counted_is_named():
    class Attention(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x)

    assert measure(Attention(), (2, 6, 8)).not_counted == (
        'aten::scaled_dot_product_attention',
    )


def test_the_stem_of_litehrnet_18_by_hand():
    found = measure(LiteHRNet('litehrnet-18'), (3, 256, 192))
    half, quarter = 128 * 96, 64 * 48
    macs = (
        32 * 27 * half  # 3×3 to 32 channels, then half of them each way:
        + 16 * 9 * quarter  # depthwise
        + 16 * 16 * quarter  # pointwise
        + 16 * 32 * half  # expansion
        + 32 * 9 * quarter  # depthwise
        + 32 * 16 * quarter  # pointwise
    )
    stem = found.stages[0]
    assert (stem.name, stem.macs, stem.output_shapes) == ('stem', macs, ((32, 64, 48),))


def test_stages_of_litehrnet_are_those_of_the_paper_and_add_up():
    found = measure(LiteHRNet('litehrnet-18', out_indices=(0, 1)), (3, 64, 96))
    assert [stage.name for stage in found.stages] == [
        'stem',
        'transition0',
        'stage0',
        'transition1',
        'stage1',
        'transition2',
        'stage2',
        'head_layer',
    ]
    for key in ('parameters', 'macs', 'macs_once', 'activations'):
        assert sum(getattr(s, key) for s in found.stages) == getattr(found, key)
    widths = (40, 80, 160, 320)
    sizes = ((16, 24), (8, 12), (4, 6), (2, 3))
    last = found.stages[-2].output_shapes
    assert last == tuple((width, *size) for width, size in zip(widths, sizes))


def test_the_model_is_left_as_it_is():
    net = LiteHRNet('naive-litehrnet-18', frozen_stages=1)
    net.train()
    net.stage2.eval()
    state = copy.deepcopy(net.state_dict())
    modes = [module.training for module in net.modules()]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    measure(net, (3, 64, 64))
    with pytest.raises(ValueError, match='at least 32'):
        measure(net, (3, 16, 16))
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in net.modules()] == modes
    now = net.state_dict()
    assert all(torch.equal(now[key], value) for key, value in state.items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert not any('forward' in vars(module) for module in net.modules())


def test_evaluation_mode_is_measured():
    class OnlyForTraining(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.layer(x) if self.training else x

    assert measure(OnlyForTraining(), (1, 4, 4)).macs == 0


def test_a_pose_estimator_adds_its_head(repository):
    config = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = POSE_MODELS.build(Config.fromfile(repository / config).model)
    found = measure(model, (3, 64, 64))
    alone = measure(model.backbone, (3, 64, 64))
    head = found.stages[-1]
    assert (head.name, head.output_shapes) == ('head', ((17, 16, 16),))
    # 1×1 from 40 channels to 17 keypoints.
    assert (head.parameters, head.macs) == (17 * 41, 17 * 40 * 16 * 16)
    assert found.macs == alone.macs + head.macs
    names = [f'backbone.{stage.name}' for stage in alone.stages]
    assert [stage.name for stage in found.stages] == [*names, 'head']


def test_a_segmentor_adds_its_heads():
    head = dict(type='FCNHead', in_channels=40, channels=8, num_classes=5)
    head.update(num_convs=1, kernel_size=1, in_index=0, norm_cfg=dict(type='SyncBN'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = SEG_MODELS.build(
            dict(
                type='EncoderDecoder',
                data_preprocessor=dict(type='SegDataPreProcessor'),
                backbone=dict(type='litehrnet_mm.LiteHRNet'),
                decode_head=dict(concat_input=False, **head),
                auxiliary_head=head,
                test_cfg=dict(mode='whole'),
            )
        )
    found = measure(model, (3, 64, 64))
    decode, auxiliary = found.stages[-2:]
    assert (decode.name, auxiliary.name) == ('decode_head', 'auxiliary_head')
    assert decode.macs == (40 * 8 + 8 * 5) * 16 * 16
    assert decode.output_shapes == ((5, 16, 16),)
    # The auxiliary head has parameters, but only training runs it.
    assert auxiliary.parameters > decode.parameters
    assert auxiliary.macs == 0
