"""``tools/quantize_onnx.py``: 8 bits where a convolution bears them."""

import json
import re

import cv2
import numpy as np
import onnx
import pytest
import torch
from hostile_graphs import endless, external
from mmengine.config import Config
from nets import random_images, randomise, tiny_extra
from onnx import TensorProto, helper, numpy_helper
from other_targets import onnx_seeds
from running import assert_one_line, narrow

from litehrnet_mm.cli import UserError
from litehrnet_mm.deploy import quantize as deploy_quantize
from litehrnet_mm.deploy.export import export
from litehrnet_mm.deploy.plan import Plan
from litehrnet_mm.deploy.quantize import quantize
from litehrnet_mm.deploy.sensitivity import measure_convolutions
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.runtime import open_runtime

POSE = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
SEG = 'configs/seg/cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'


def test_precision_on_real_persons(call_tool, tinypose, shared_data, tmp_path):
    full, small = tmp_path / 'fp32.onnx', tmp_path / 'new' / 'int8.onnx'
    done = call_tool('export_onnx.py', POSE, tinypose, full)
    assert done.returncode == 0, done.stderr
    persons = shared_data / 'mmpose_samples' / 'coco'  # none of those evaluated on
    val = shared_data / 'coco_mini_val'
    done = call_tool(
        'quantize_onnx.py', full, persons, small,
        '--annotations', persons / 'test_coco.json',
        '--evaluate', val / 'person_keypoints_val.json', val / 'images',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = re.search(r'fp32 (0\.\d+), int8 (0\.\d+)\n', done.stdout).groups()
    assert float(before) == pytest.approx(0.661, abs=0.002)
    assert float(after) == pytest.approx(float(before), abs=0.02)
    assert small.stat().st_size < 0.7 * full.stat().st_size
    for word in ('convolutions are in 8 bits', 'a pass on one thread', 'half of the'):
        assert word in done.stdout
    assert open_runtime(small).keypoints[0] == 'nose'


@pytest.mark.parametrize(
    ('change', 'words'), [(external, 'in another file'), (endless, 'operator Loop')]
)
def test_a_hostile_file_is_not_opened(call_tool, tmp_path, change, words):
    model = onnx.load_from_string(onnx_seeds()[0]['x.onnx'])
    change(model)
    path = tmp_path / 'x.onnx'
    path.write_bytes(model.SerializeToString())
    done = call_tool('quantize_onnx.py', path, tmp_path, tmp_path / 'out.onnx')
    assert_one_line(done, 'x.onnx', words)


def test_an_image_that_is_too_wide_is_named(call_tool, tmp_path):
    path = tmp_path / 'x.onnx'
    path.write_bytes(onnx_seeds()[0]['x.onnx'])
    cv2.imwrite(str(tmp_path / 'wide.png'), np.zeros((2, 33_000, 3), np.uint8))
    done = call_tool('quantize_onnx.py', path, tmp_path, tmp_path / 'out.onnx')
    assert_one_line(done, tmp_path / 'wide.png', '33000')


def test_what_coco_cannot_evaluate_is_refused_before_any_work(call_tool, tmp_path):
    path = tmp_path / 'x.onnx'
    path.write_bytes(onnx_seeds()[0]['x.onnx'])
    content = dict(images=[], categories=[], annotations=[dict(id=1)])
    (tmp_path / 'x.json').write_text(json.dumps(content))
    out = tmp_path / 'out.onnx'
    evaluate = ('--evaluate', tmp_path / 'x.json', tmp_path)
    done = call_tool('quantize_onnx.py', path, tmp_path, out, *evaluate)
    assert_one_line(done, "COCO's AP is of 17 keypoints", 'leave out --evaluate')
    assert not out.exists()


def one_convolution(weight, relu: bool) -> onnx.ModelProto:
    """A graph of a 1×1 convolution, with a ReLU or not."""
    c_out, c_in = weight.shape
    nodes = [helper.make_node('Conv', ['x', 'w'], ['y'], 'conv')]
    if relu:
        nodes.append(helper.make_node('Relu', ['y'], ['z']))
    shapes = dict(x=(1, c_in, 4, 4), y=(1, c_out, 4, 4), z=(1, c_out, 4, 4))
    x, out = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name])
        for name in ('x', 'z' if relu else 'y')
    )
    kernel = weight[..., None, None].astype(np.float32)
    graph = helper.make_graph(
        nodes, 'one', [x], [out], [numpy_helper.from_array(kernel, 'w')]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])


@pytest.mark.parametrize('relu', [False, True])
def test_errors_are_those_of_rounding(relu):
    """Uniform rounding of step s has the variance s² / 12."""
    weight = np.eye(2)
    inputs = [random_images(1, 2, 4, 4, seed=k).numpy() for k in range(200)]
    (found,) = measure_convolutions(one_convolution(weight, relu), inputs)
    values = np.concatenate(inputs)
    expected = np.maximum(values, 0) if relu else values
    # Rounded as it comes in; what goes out has the same range and the same levels,
    # or with a ReLU others, and is rounded again.
    step = np.ptp(values) / 255
    variance = step**2 / 12 * (0.5 if relu else 1)
    if relu:
        variance += (expected.max() / 255) ** 2 / 12 * 0.5
    share = np.mean([variance / expected[:, c].var() for c in range(2)])
    assert found.error == pytest.approx(np.sqrt(share), rel=0.15)


def test_channels_of_different_ranges_suffer():
    weight = np.diag([1.0, 0.001])
    inputs = [random_images(1, 2, 4, 4, seed=k).numpy() for k in range(20)]
    (found,) = measure_convolutions(one_convolution(weight, False), inputs)
    assert found.error > 0.7  # one scale for both leaves the second channel nothing
    (found,) = measure_convolutions(one_convolution(np.eye(2), False), inputs)
    assert found.error < 0.02


def test_nothing_bears_8_bits(tmp_path):
    source = tmp_path / 'one.onnx'
    onnx.save(one_convolution(np.eye(2), False), str(source))
    inputs = [random_images(1, 2, 4, 4).numpy()]
    with pytest.raises(UserError, match=r'no convolution of .* bears 8 bits'):
        quantize(source, tmp_path / 'out.onnx', inputs, 1e-9)
    assert list(tmp_path.iterdir()) == [source]


@pytest.fixture(scope='module')
def tiny_seg(repository, tmp_path_factory):
    """A narrow segmentation network, exported."""
    cfg = Config.fromfile(repository / SEG)
    cfg.model.backbone.arch = tiny_extra()
    cfg.model.decode_head.in_channels = [8, 16, 24, 32]
    model = randomise(build_model(cfg, SEG)).train(False)
    out = tmp_path_factory.mktemp('seg') / 'seg.onnx'
    export(model, cfg, out, Plan((64, 96)))
    return out


@pytest.fixture
def pictures(tmp_path):
    """A folder of two pictures, and a file that is none."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for k in range(2):
        image = np.random.default_rng(k).integers(0, 256, (70, 90, 3), np.uint8)
        cv2.imwrite(str(folder / f'{k}.png'), image)
    (folder / 'notes.txt').write_text('no picture')
    return folder


def test_persons_to_calibrate_with(
    call_tool, repository, pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(repository)
    cfg = Config.fromfile(narrow(POSE, tmp_path))
    net = tmp_path / 'pose.onnx'
    export(randomise(build_model(cfg, POSE)).eval(), cfg, net, Plan((64, 64)))
    persons = [(1, [0, 0, 40, 60]), (1, [30, 0, 40, 60]), (2, [0, 0, 40, 60])]
    content = dict(
        images=[
            dict(id=k + 1, file_name=f'{k}.png', width=90, height=70) for k in range(2)
        ],
        categories=[dict(id=1, name='person')],
        annotations=[
            dict(
                **dict(id=k, image_id=number, category_id=1, iscrowd=0, bbox=box),
                **dict(area=2400, num_keypoints=17, keypoints=[5, 5, 2] * 17),
            )
            for k, (number, box) in enumerate(persons, start=1)
        ],
    )
    annotations = tmp_path / 'persons.json'
    annotations.write_text(json.dumps(content))
    given = []

    def note(source, out, inputs, tolerance):
        given.append(len(inputs))
        raise UserError('enough')

    monkeypatch.setattr(deploy_quantize, 'quantize', note)
    options = ('--annotations', annotations)
    for more in ((), options, (*options, '--limit', 1)):
        done = call_tool('quantize_onnx.py', net, pictures, tmp_path / 'o.onnx', *more)
        assert_one_line(done, 'enough')
    assert given == [2, 3, 1]


def test_segmentation(call_tool, tiny_seg, pictures, tmp_path, monkeypatch):
    made = []

    def note(*args):
        made.append(quantize(*args))
        return made[-1]

    monkeypatch.setattr(deploy_quantize, 'quantize', note)
    out = tmp_path / 'int8.onnx'
    torch.manual_seed(0)
    done = call_tool('quantize_onnx.py', tiny_seg, pictures, out, '--tolerance', 0.3)
    assert done.returncode == 0, done.stderr
    share = re.search(r'the same class on ([\d.]+) % of the pixels', done.stdout)
    assert float(share[1]) > 50
    errors = [convolution.error for convolution in made[0].rounded]
    assert 0.05 < max(errors) <= 0.3 < min(c.error for c in made[0].kept)
    assert open_runtime(out).classes[0] == 'road'
    again = call_tool('quantize_onnx.py', out, pictures, tmp_path / 'again.onnx')
    assert_one_line(again, 'quantised already')


def test_mistakes(call_tool, tiny_seg, pictures, tmp_path):
    out = tmp_path / 'int8.onnx'
    empty = tmp_path / 'empty'
    empty.mkdir()
    cases = [
        ((tmp_path / 'absent.onnx', pictures, out), ['no such file', 'absent.onnx']),
        ((tiny_seg, tmp_path / 'nowhere', out), ['no such folder', 'nowhere']),
        ((tiny_seg, empty, out), ['no images', 'empty']),
        ((tiny_seg, pictures, out, '--tolerance', 0), ['--tolerance', 'more than 0']),
        ((tiny_seg, pictures, tmp_path / 'x.pt'), ['should end in .onnx']),
        ((tiny_seg, pictures, tiny_seg), ['would replace']),
        ((tiny_seg, pictures, out, '--annotations', 'a.json'), ['for pose networks']),
    ]
    for arguments, words in cases:
        assert_one_line(call_tool('quantize_onnx.py', *arguments), *words)
    assert not out.exists()
