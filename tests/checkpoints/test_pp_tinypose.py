import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from litehrnet_mm.checkpoints.ncnn import NcnnLayer, read_ncnn
from litehrnet_mm.checkpoints.pp_tinypose import (
    ARCH,
    KEYPOINTS,
    META,
    convert_pp_tinypose,
    trace_convolutions,
)
from litehrnet_mm.cli import UserError
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.arch import ARCHS


@pytest.fixture(scope='module')
def files(shared_data) -> tuple[Path, Path]:
    folder = shared_data / 'pp_tinypose'
    return folder / 'tinypose_256x192.param', folder / 'tinypose_256x192.bin'


@pytest.fixture(scope='module')
def state_dict(files) -> dict[str, Tensor]:
    return convert_pp_tinypose(*files)


class PoseEstimator(nn.Module):
    """Backbone and 1×1 head under the names that MMPose's estimator gives them."""

    def __init__(self):
        super().__init__()
        self.backbone = LiteHRNet(ARCH)
        self.head = nn.Module()
        self.head.final_layer = nn.Conv2d(40, len(KEYPOINTS), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, 3, H, W)`` to heatmaps ``(N, 17, H/4, W/4)``."""
        return self.head.final_layer(self.backbone(x)[0])


@pytest.fixture(scope='module')
def model(state_dict) -> PoseEstimator:
    model = PoseEstimator()
    model.load_state_dict(state_dict, strict=True)
    return model.eval()


@pytest.fixture(scope='module')
def crops(shared_data) -> Tensor:
    """Four people, preprocessed as PP-TinyPose expects: ``(4, 3, 256, 192)``."""
    folder = shared_data / 'coco_mini_val'
    coco = json.loads((folder / 'person_keypoints_val.json').read_text())
    people = sorted(coco['annotations'], key=lambda person: -person['num_keypoints'])
    mean, std = (np.array(META['input'][key]) for key in ('mean', 'std'))
    crops = []
    for person in people[:4]:
        image = cv2.imread(str(folder / f'images/{person["image_id"]:012d}.jpg'))
        x, y, w, h = person['bbox']
        height = max(h, w * 4 / 3) * META['input']['bbox_padding']
        scale = 256 / height
        shift = np.array([96, 128]) - scale * np.array([x + w / 2, y + h / 2])
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        crop = cv2.warpAffine(image, matrix, (192, 256))[..., ::-1]
        crops.append(torch.from_numpy(((crop - mean) / std).astype(np.float32)))
    return torch.stack(crops).permute(0, 3, 1, 2).contiguous()


# A second opinion: the graph in the file, run layer by layer as ncnn defines its
# layers, without any knowledge of Lite-HRNet. Tensors are (N, C, H, W).


def interpret(layers: tuple[NcnnLayer, ...], image: Tensor) -> Tensor:
    blobs = {}
    for layer in layers:
        inputs = [image] if layer.kind == 'Input' else []
        inputs += [blobs[name] for name in layer.inputs]
        outputs = NCNN_LAYERS[layer.kind](layer, *inputs)
        if isinstance(outputs, Tensor):
            outputs = [outputs] * len(layer.outputs)
        blobs.update(zip(layer.outputs, outputs))
    return blobs[layers[-1].outputs[0]]


def convolution(layer: NcnnLayer, x: Tensor) -> Tensor:
    weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
    stride, padding = layer.params.get(3, 1), layer.params.get(4, 0)
    y = F.conv2d(x, weight, bias, stride, padding, groups=layer.params.get(7, 1))
    return F.relu(y) if layer.params.get(9) else y


def reshape(layer: NcnnLayer, x: Tensor) -> Tensor:
    width, height, channels = (layer.params[key] for key in (0, 1, 2))
    return x.reshape(len(x), channels, height, width)


def permute(layer: NcnnLayer, x: Tensor) -> Tensor:
    assert layer.params == {0: 2}  # order type 2: width, channels, height
    return x.transpose(1, 2)


def slice_channels(layer: NcnnLayer, x: Tensor) -> tuple[Tensor, ...]:
    assert layer.params == {0: (-233, -233)}  # -233 is an even share of the rest
    return x.chunk(2, dim=1)


def interp(layer: NcnnLayer, x: Tensor) -> Tensor:
    if layer.params[0] == 1:
        scale = layer.params[1], layer.params[2]
        return F.interpolate(x, scale_factor=scale, mode='nearest')
    assert layer.params[0] == 2
    assert layer.params[6] == 1  # align corners
    size = layer.params[3], layer.params[4]
    return F.interpolate(x, size, mode='bilinear', align_corners=True)


NCNN_LAYERS = {
    'Input': lambda layer, image: image,
    'Convolution': convolution,
    'ConvolutionDepthWise': convolution,
    'Slice': slice_channels,
    'Concat': lambda layer, *inputs: torch.cat(inputs, dim=1),
    'Reshape': reshape,
    'Permute': permute,
    'Split': lambda layer, x: x,
    'BinaryOp': lambda layer, x, y: x + y,
    'Interp': interp,
    'ReLU': lambda layer, x: F.relu(x),
}


@torch.no_grad()
def test_heatmaps_are_those_of_the_graph_in_the_file(files, model, crops):
    expected = interpret(read_ncnn(*files), crops)

    heatmaps = model(crops)

    assert heatmaps.shape == (4, 17, 64, 48)
    assert expected.amax() > 0.5  # it does see people
    # 3e-6 was seen, where float32 itself is off float64 by as much.
    torch.testing.assert_close(heatmaps, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_batch_norm_adds_the_bias_and_nothing_else(state_dict):
    x = torch.randn(2, 32, 9, 7) * 100
    norm = nn.BatchNorm2d(32).eval()
    prefix = 'backbone.stem.conv1.bn.'
    norm.load_state_dict({key: state_dict[prefix + key] for key in norm.state_dict()})
    assert torch.equal(norm(x), x + norm.bias[:, None, None])


def test_keys_shapes_and_types_are_those_of_the_model(state_dict, model):
    expected = model.state_dict()
    assert {key: (value.shape, value.dtype) for key, value in expected.items()} == {
        key: (value.shape, value.dtype) for key, value in state_dict.items()
    }


@torch.no_grad()
def test_trace_is_the_order_in_which_the_model_runs():
    model = PoseEstimator().eval()
    order = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: order.append(name))
    model(torch.zeros(1, 3, 64, 64))

    names = [spec.name for spec in trace_convolutions(ARCHS[ARCH], 17)]

    assert len(names) == 269
    assert sorted(names[:6]) == sorted(order[:6])  # the stem, whose order is the file's
    assert names[6:] == order[6:]


def test_trace_knows_the_shape_of_every_convolution():
    model = PoseEstimator()
    for spec in trace_convolutions(ARCHS[ARCH], 17):
        conv = model.get_submodule(spec.name)
        assert spec.shape == conv.weight.shape, spec.name
        assert (spec.stride, spec.groups) == (conv.stride[0], conv.groups), spec.name
        if spec.norm is None:
            assert conv.bias is not None, spec.name
        else:
            norm = model.get_submodule(spec.norm)
            assert norm.num_features == conv.out_channels, spec.name


@pytest.mark.parametrize(
    ('pattern', 'replacement', 'message'),
    [
        # f_10 reads branch 0 as it was before the fusion: a repaired fusion
        (
            r'(Conv_23 .*) tmp_1_splitncnn_0',
            r'\1 reshape2_5.tmp_0_splitncnn_1',
            'stage0.0.fuse_layers.1.0.0.0: feeding convolutions',
        ),
        # branch 0 is counted once only
        (r'BinaryOp( +Add_0 +)2 1 (\S+) \S+', r'Split\g<1>1 1 \2', 'feeding'),
        # the second of two blocks reads what the first did
        (r'(Conv_13 .*) split_2.tmp_1', r'\1 split_1.tmp_1', 'feeding convolutions'),
        (r'(Conv_23 .*) 3=2', r'\1', 'stride: expected (2, 2), found (1, 1)'),
        (r'(Conv_23 .*) 4=1', r'\1', 'padding'),
        (r'(Conv_23 .*)', r'\1 2=2', 'dilation'),
        (r'(Conv_23 .*)', r'\1 9=1', 'activation: expected 0, found 1'),
        (r'(Conv_10 .*) 1=1', r'\1 1=2', 'weights: expected (20, 20, 1, 1)'),
        (r'(Conv_1 .*) 7=16', r'\1 7=8', 'groups: expected 16, found 8'),
        (r'(BinaryOp +Add_9 .*)', r'\1 0=2', 'another operation'),
        (r'(BinaryOp +Add_9 +)2 1 (\S+) \S+', r'\g<1>1 1 \2', 'another operation'),
        (r'(ReLU +Relu_14 .*)', r'\1 0=0.1', 'another operation'),
        (r'ReLU +Relu_14 ', r'Sigmoid Relu_14 ', 'another operation'),
    ],
)
def test_refuses_another_network(tmp_path, files, pattern, replacement, message):
    text, count = re.subn(pattern, replacement, files[0].read_text())
    assert count == 1
    param = tmp_path / 'other.param'
    param.write_text(text)

    with pytest.raises(UserError, match=re.escape(message)) as info:
        convert_pp_tinypose(param, files[1])

    assert str(info.value).startswith(str(param))
    assert '\n' not in str(info.value)


def test_refuses_a_small_network_and_one_that_goes_on(tmp_path, files):
    param, binary = tmp_path / 'a.param', tmp_path / 'a.bin'
    binary.write_bytes(b'')
    param.write_text('7767517\n1 1\nInput image 0 1 image\n')
    with pytest.raises(UserError, match=r'expected the 269 convolutions .* found 0'):
        convert_pp_tinypose(param, binary)

    text = files[0].read_text().replace('\n698 826\n', '\n699 827\n')
    param.write_text(f'{text}ReLU last 1 1 save_infer_model/scale_0.tmp_1 end\n')
    with pytest.raises(UserError, match='expected the pose head as last layer'):
        convert_pp_tinypose(param, files[1])
