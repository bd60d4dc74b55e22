"""ONNX files that are damaged or hostile are refused when they are opened."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from hostile_graphs import HOSTILE, endless, growing, own_function
from onnx import TensorProto, helper, numpy_helper
from other_targets import detector_seeds, onnx_seeds, pose_facts, seg_facts

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.networks import open_network
from litehrnet_mm.prediction.onnx_check import check_onnx
from litehrnet_mm.prediction.onnx_detector import OnnxBoxes
from litehrnet_mm.runtime import open_runtime

FACTS = (pose_facts(), seg_facts())


def changed(change, number: int = 0, seeds=onnx_seeds) -> bytes:
    """A small network after a change."""
    model = onnx.load_from_string(seeds()[number]['x.onnx'])
    change(model)
    return model.SerializeToString()


def spoil(model: onnx.ModelProto) -> None:
    weight = next(
        x for x in model.graph.initializer if x.data_type == TensorProto.FLOAT
    )
    numbers = numpy_helper.to_array(weight).copy()
    numbers.flat[0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(numbers, weight.name))


def outsource(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField('raw_data')
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key='location', value='/dev/zero')


def pad(model: onnx.ModelProto) -> None:
    attribute = next(x for x in model.graph.node[0].attribute if x.name == 'pads')
    attribute.ints[0] = 2**31


def enlarge(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**40


FAULTS = [
    (spoil, 'inf or nan'),
    (outsource, 'in another file'),
    (pad, 'larger than any in a network'),
    (enlarge, 'larger than any in a network'),
]


@pytest.mark.parametrize(('change', 'words'), FAULTS)
def test_networks(tmp_path, change, words):
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change))
    with pytest.raises(UserError, match=words) as refused:
        open_network([str(path)])
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(('change', 'words'), [FAULTS[0], FAULTS[3]])
def test_detectors(tmp_path, change, words):
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change, seeds=detector_seeds))
    with pytest.raises(UserError, match=words):
        OnnxBoxes(path, 0.3)


@pytest.mark.parametrize('change', HOSTILE)
def test_hostile_graphs(tmp_path, change):
    """None of them is run: a loop would never end."""
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change))
    with pytest.raises(UserError, match=r'x\.onnx') as refused:
        open_network([str(path)])
    assert str(refused.value).isprintable()
    path.write_bytes(changed(change, seeds=detector_seeds))
    with pytest.raises(UserError, match=r'x\.onnx'):
        OnnxBoxes(path, 0.3)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (endless, 'need not end'),
        (growing, 'takes more than 1.5 GB'),
        (own_function, 'functions of its own'),
    ],
)
def test_what_is_said_of_hostile_detectors(tmp_path, change, words):
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change, seeds=detector_seeds))
    with pytest.raises(UserError, match=words):
        check_onnx(path, operators=None)


def test_only_operators_that_are_written_here(tmp_path):
    def rename(model: onnx.ModelProto) -> None:
        model.graph.node[1].op_type = 'Exp'

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(rename))
    with pytest.raises(UserError, match='the operator Exp, which'):
        open_network([str(path)])
    check_onnx(path, operators=None)


def test_loops_of_few_turns_are_for_detectors(tmp_path):
    def loop(model: onnx.ModelProto) -> None:
        endless(model)
        count = next(x for x in model.graph.initializer if x.name == 'count')
        count.CopyFrom(numpy_helper.from_array(np.array(7), 'count'))

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(loop))
    check_onnx(path, operators=None)
    with pytest.raises(UserError, match='the operator Loop, which'):
        check_onnx(path)


def test_a_detector_of_other_outputs(tmp_path):
    def exchange(model: onnx.ModelProto) -> None:
        wrong = np.ones((1, 3, 4), np.float32)
        boxes = next(x for x in model.graph.initializer if x.name == 'boxes')
        boxes.CopyFrom(numpy_helper.from_array(wrong, 'boxes'))
        del model.graph.output[0].type.tensor_type.shape.dim[:]

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(exchange, seeds=detector_seeds))
    with pytest.raises(UserError, match=r'dets \(1, 3, 4\)|computes nothing'):
        OnnxBoxes(path, 0.3)


@pytest.mark.parametrize(
    ('task', 'key', 'value'),
    [
        (0, 'input_size', [16, 'x']),
        (0, 'input_size', [32, 24]),
        (0, 'input_size', [2**20, 2**20]),
        (0, 'mean', [1, 2]),
        (0, 'std', [1, 0, 1]),
        (0, 'rgb', 1),
        (0, 'keypoints', ['nose']),
        (0, 'keypoints', []),
        (0, 'skeleton', [[0, 7]]),
        (0, 'flip_pairs', [0, 0, 1]),
        (0, 'codec', {'type': 5}),
        (0, 'codec', {'type': 'MSRAHeatmap'}),
        (0, 'codec', {'type': 'another'}),
        (0, 'padding', 0),
        (0, 'padding', float('nan')),
        (0, 'task', ['pose']),
        (0, 'task', 'segmentation'),
        (1, 'classes', ['road']),
        (1, 'classes', [1, 2]),
        (1, 'palette', [[1, 2, 3]]),
        (1, 'palette', [[1, 2, 'x'], [1, 2, 3]]),
        (1, 'resize', {'scale': [1, 2]}),
        (1, 'resize', {'scale': [0, 2], 'keep_ratio': True}),
        (1, 'threshold', 1.5),
    ],
)
def test_metadata_that_cannot_be(tmp_path, task, key, value):
    def tell(model: onnx.ModelProto) -> None:
        facts = {**FACTS[task], key: value}
        told = {f'litehrnet_mm.{k}': json.dumps(x) for k, x in facts.items()}
        helper.set_model_props(model, told)

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(tell, task))
    with pytest.raises(ValueError, match=r'x\.onnx') as refused:
        open_runtime(path)
    assert str(refused.value).isprintable()


def test_weights_that_make_no_numbers_are_found_without_onnx(tmp_path):
    """The runtime has ONNX Runtime alone, and looks at what comes out."""

    def spoil_last(model: onnx.ModelProto) -> None:
        spoil(model)
        del model.graph.node[1]  # the ReLU, which turns NaN into 0
        model.graph.node[0].output[0] = 'heatmaps'

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(spoil_last))
    with pytest.raises(ValueError, match='not finite'):
        open_runtime(path)


def test_whole_files_open(tmp_path):
    path = tmp_path / 'x.onnx'
    for files in onnx_seeds():
        path.write_bytes(files['x.onnx'])
        assert open_network([str(path)]).model.facts['version'] == '1.0'
