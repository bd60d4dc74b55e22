"""LiteHRNet against MMPose's own, the reference for the maths."""

import copy

import litehrnet_mm  # noqa: F401  MMPose's models need its stand-ins for mmcv's operators

# isort: split
import pytest
import torch
from mmpose.models.backbones.hrnet import HRNet
from mmpose.models.backbones.litehrnet import LiteHRNet as MMPoseLiteHRNet
from nets import (
    PUBLISHED,
    mmpose_extra,
    random_images,
    randomise,
    relative_difference,
)

from litehrnet_mm.analysis import measure
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.models import LiteHRNet

# Parameters; MACs of the convolutions at 256x192, as MMPose's net executes them and
# with each layer once. A count by forward hooks on the convolutions gave them first;
# tests/analysis checks the counter used here by hand.
GOLDEN = {
    'litehrnet-18': (1_130_072, 240_256_128, 196_537_728),
    'litehrnet-30': (1_763_020, 384_014_688, 307_362_528),
    'naive-litehrnet-18': (759_838, 209_482_368, 183_951_168),
    'wider-naive-litehrnet-18': (1_317_928, 343_961_088, 300_242_688),
}


@pytest.fixture(scope='module', params=sorted(PUBLISHED))
def pair(request) -> tuple[str, LiteHRNet, MMPoseLiteHRNet]:
    """Our net and MMPose's, with the same random weights and statistics."""
    name = request.param
    theirs = randomise(MMPoseLiteHRNet(mmpose_extra(*PUBLISHED[name])))
    ours = LiteHRNet(name)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return name, ours, theirs


def test_state_dict_has_the_same_keys_and_shapes(pair):
    _, ours, theirs = pair
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }


@pytest.mark.parametrize('size', [(256, 192), (384, 288), (256, 256), (64, 96)])
def test_evaluation_outputs_are_equal(pair, size):
    _, ours, theirs = pair
    images = random_images(2, 3, *size)
    ours.train(False)
    theirs.train(False)
    with torch.no_grad():
        (y,), (expected,) = ours(images), theirs(images)
    assert expected.std() > 0.1
    assert relative_difference(y, expected) <= 1e-6


def test_training_outputs_and_gradients_are_equal(pair):
    """In double precision, where BatchNorm's cancellations leave the sign of 0 alone.

    Some gradients are zero by the maths (a bias in front of another BatchNorm) and
    rounding noise in practice: those are held against the largest gradient.
    """
    _, ours, theirs = pair
    ours, theirs = copy.deepcopy(ours).double(), copy.deepcopy(theirs).double()
    ours.train()
    theirs.train()
    images = random_images(3, 3, 64, 96, dtype=torch.float64)
    (y,), (expected,) = ours(images), theirs(images)
    assert relative_difference(y, expected) <= 1e-4
    weights = random_images(*y.shape, seed=2, dtype=torch.float64)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    gradients = {k: p.grad for k, p in theirs.named_parameters()}
    largest = max(g.norm() for g in gradients.values())
    for key, parameter in ours.named_parameters():
        allowed = 1e-4 * gradients[key].norm() + 1e-10 * largest
        assert (parameter.grad - gradients[key]).norm() <= allowed, key


def test_training_in_single_precision_agrees(pair):
    _, ours, theirs = pair
    ours, theirs = copy.deepcopy(ours), copy.deepcopy(theirs)
    ours.train()
    theirs.train()
    images = random_images(3, 3, 64, 96)
    (y,), (expected,) = ours(images), theirs(images)
    assert relative_difference(y, expected) <= 1e-4
    y.square().mean().backward()
    expected.square().mean().backward()
    named = dict(theirs.named_parameters())
    keys = [key for key, _ in ours.named_parameters()]
    flat = torch.cat([p.grad.flatten() for p in ours.parameters()])
    expected_flat = torch.cat([named[key].grad.flatten() for key in keys])
    assert (flat - expected_flat).norm() <= 1e-4 * expected_flat.norm()


def test_parameters_and_macs_are_golden(pair):
    name, ours, theirs = pair
    parameters, executed_by_mmpose, each_layer_once = GOLDEN[name]
    found, expected = (measure(net, (3, 256, 192)) for net in (ours, theirs))
    assert (found.parameters, expected.parameters) == (parameters, parameters)
    assert (found.macs, found.macs_once) == (each_layer_once, each_layer_once)
    assert (expected.macs, expected.macs_once) == (executed_by_mmpose, each_layer_once)


def test_small_hrnet_w16_is_mmposes_and_golden(repository):
    name = 'configs/pose/coco/td-hm_small-hrnet-w16_8xb64-210e_coco-256x192.py'
    net = build_model(load_config(str(repository / name), {}), name).backbone
    assert type(net) is HRNet
    found = measure(net, (3, 256, 192))
    assert found.parameters == 1_284_672
    assert found.macs == found.macs_once == 569_868_288
    randomise(net).train(False)
    with torch.no_grad():
        (y,) = net(random_images(1, 3, 256, 192))
    assert y.shape == (1, 16, 64, 48)
    assert y.std() > 0.1
