import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from foreign import PaddlePoseNet
from nets import random_images, relative_difference
from torch import nn

from litehrnet_mm.checkpoints.compare import fitting_entries
from litehrnet_mm.checkpoints.paddle import META, read_paddle
from litehrnet_mm.checkpoints.pdparams import NAME_TABLE
from litehrnet_mm.checkpoints.targets import arch_target, recognise
from litehrnet_mm.cli import UserError
from litehrnet_mm.models import LiteHRNet

NETWORK_TYPES = {
    'lite_18': 'litehrnet-18',
    'lite_30': 'litehrnet-30',
    'naive': 'naive-litehrnet-18',
    'wider_naive': 'wider-naive-litehrnet-18',
}


class Parameter:
    """Pickles as a tensor of Paddle does where paddle.save finds no state dict."""

    def __init__(self, name: str, array: np.ndarray) -> None:
        self.pair = name, array

    def __reduce__(self):
        return tuple, (self.pair,)


def paddle_save(weights, path, protocol=4, as_parameters=False):
    """What ``paddle.save(layer.state_dict(), path, protocol)`` writes."""
    arrays = OrderedDict((key, value.numpy()) for key, value in weights.items())
    if as_parameters:
        content = OrderedDict(
            (key, Parameter(f'p_{i}', array))
            for i, (key, array) in enumerate(arrays.items())
        )
    else:
        names = {key: f'conv2d_{i}.w_0' for i, key in enumerate(arrays)}
        content = {**arrays, NAME_TABLE: names}
    with open(path, 'wb') as handle:
        pickle.Pickler(handle, protocol).dump(content)
    return path


def our_heatmaps(state_dict, arch: str, images: torch.Tensor) -> torch.Tensor:
    """Heatmaps of our network with a converted state dict."""
    backbone = LiteHRNet(arch)
    width, keypoints = (
        backbone.out_channels[0],
        len(state_dict['head.final_layer.bias']),
    )
    head = nn.ModuleDict(dict(final_layer=nn.Conv2d(width, keypoints, 1)))
    model = nn.ModuleDict(dict(backbone=backbone, head=head)).eval()
    model.load_state_dict(state_dict, strict=True)
    with torch.no_grad():
        return head.final_layer(backbone(images)[0])


@pytest.mark.parametrize('network_type', NETWORK_TYPES)
def test_outputs_are_those_of_paddledetections_network(tmp_path, network_type):
    arch = NETWORK_TYPES[network_type]
    net = PaddlePoseNet(network_type, keypoints=21)
    images = random_images(2, 3, 64, 96)
    expected = net(images)
    assert expected.std() > 0.1

    weights = read_paddle(paddle_save(net.weights, tmp_path / 'x.pdparams'))
    target = recognise(weights)
    differences = target.differences(weights)

    assert not differences, differences.listing()
    assert target.arch == arch
    state_dict = fitting_entries(weights, target.entries, differences)
    assert set(state_dict) == set(target.entries)
    assert relative_difference(our_heatmaps(state_dict, arch, images), expected) <= 1e-6


@pytest.fixture(scope='module')
def net() -> PaddlePoseNet:
    """A network that has run, and so has its weights."""
    net = PaddlePoseNet('naive', keypoints=17)
    net(torch.zeros(1, 3, 32, 32))
    return net


@pytest.mark.parametrize('protocol', [2, 3, 4])
@pytest.mark.parametrize('as_parameters', [False, True])
def test_every_way_of_saving_is_read(net, tmp_path, protocol, as_parameters):
    path = tmp_path / 'x.pdparams'
    weights = read_paddle(paddle_save(net.weights, path, protocol, as_parameters))
    assert len(weights) == len(net.weights)
    stem, ours = 'backbone.stem.conv1.norm', 'backbone.stem.conv1.bn'
    for theirs, key in (
        (f'{stem}._mean', f'{ours}.running_mean'),
        (f'{stem}._variance', f'{ours}.running_var'),
        (f'{stem}.weight', f'{ours}.weight'),
        ('final_conv.bias', 'head.final_layer.bias'),
        ('backbone.transition0.0.1._mean', 'backbone.transition0.0.1.running_mean'),
    ):
        assert torch.equal(weights[key], net.weights[theirs]), key


def test_another_arch_and_another_network_differ(net, tmp_path):
    weights = dict(net.weights, **{'fc1.weight': torch.zeros(768, 256)})
    found = read_paddle(paddle_save(weights, tmp_path / 'x.pdparams'))
    differences = recognise(found).differences(found)
    assert differences.unexpected == ('fc1.weight',)
    assert not differences.missing
    assert not differences.differing
    wrong = arch_target('litehrnet-18', found).differences(found)
    assert wrong.missing
    assert wrong.unexpected
    assert wrong.differing


def test_a_name_that_comes_twice_is_refused(tmp_path):
    weights = {
        'final_conv.bias': torch.zeros(1),
        'head.final_layer.bias': torch.ones(1),
    }
    with pytest.raises(UserError, match='two entries for head'):
        read_paddle(paddle_save(weights, tmp_path / 'x.pdparams'))


def test_input_conventions_are_those_of_the_ncnn_files():
    assert META['input']['channel_order'] == 'RGB'
    assert META['input']['mean'] == pytest.approx([0.485 * 255, 0.456 * 255, 103.53])
