"""A picture with which a network cannot do anything is named; others are looked at."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hostile_graphs import add_constant, make_way
from onnx import TensorProto, helper, numpy_helper
from other_targets import detector_seeds, onnx_seeds

from litehrnet_mm.cli import PictureError
from litehrnet_mm.prediction.boxes import SameBoxes
from litehrnet_mm.prediction.networks import open_network
from litehrnet_mm.prediction.onnx_detector import OnnxBoxes
from litehrnet_mm.prediction.results import LabelResults, PoseResults
from litehrnet_mm.prediction.sources import Frame

SOUND = Frame('sound', np.full((16, 12, 3), 9, np.uint8))


def pool(model: onnx.ModelProto) -> None:
    """Windows that are larger than some pictures, as LR-ASPP has."""
    out = make_way(model)
    pads = dict(pads=[0, 0, 9, 9])
    model.graph.node.extend(
        [
            helper.make_node('MaxPool', ['before'], ['pooled'], kernel_shape=[10, 10]),
            helper.make_node(
                'MaxPool', ['pooled'], [out], kernel_shape=[10, 10], **pads
            ),
        ]
    )


def keep(model: onnx.ModelProto) -> None:
    """As it is, but of no size at all where a picture is white."""
    out = make_way(model)
    weights = dict(one=1.0, many=2e9)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array([x], np.float32), name)
        for name, x in weights.items()
    )
    model.graph.node.extend(
        [
            helper.make_node('ReduceMin', ['input'], ['darkest'], keepdims=0),
            helper.make_node('Sub', ['darkest', 'one'], ['above']),
            helper.make_node('Relu', ['above'], ['white']),
            helper.make_node('Mul', ['white', 'many'], ['number']),
            helper.make_node('Cast', ['number'], ['size'], to=TensorProto.INT64),
        ]
    )
    add_constant(model, 'size', out)


def test_labels(tmp_path, capfd):
    path = tmp_path / 'x.onnx'
    model = onnx.load_from_string(onnx_seeds()[1]['x.onnx'])
    pool(model)
    path.write_bytes(model.SerializeToString())
    results = LabelResults(open_network([str(path)]), None)
    with pytest.raises(PictureError, match=r'image small: .*MaxPool') as refused:
        results.add(Frame('small', np.zeros((500, 1, 3), np.uint8)))
    assert str(refused.value).isprintable()
    assert results.add(SOUND).shape[2] == 3
    assert capfd.readouterr() == ('', '')


def test_persons_that_a_detector_finds(tmp_path):
    """Within the memory that it was tried with, whatever a picture shows."""
    pose, detector = (tmp_path / f'{name}.onnx' for name in ('pose', 'detector'))
    pose.write_bytes(onnx_seeds()[0]['x.onnx'])
    model = onnx.load_from_string(detector_seeds()[0]['x.onnx'])
    keep(model)
    detector.write_bytes(model.SerializeToString())
    results = PoseResults(open_network([str(pose)]), OnnxBoxes(detector, 0.3), 0)
    with pytest.raises(PictureError, match='image white: the detector computes noth'):
        results.add(Frame('white', np.full((32, 32, 3), 255, np.uint8)))
    results.add(SOUND)
    assert len(results.records) == 2


def test_poses(tmp_path):
    """Of a picture with more pixels in a row than OpenCV counts."""
    path = tmp_path / 'x.onnx'
    path.write_bytes(onnx_seeds()[0]['x.onnx'])
    boxes = SameBoxes([(0, 0, 9, 9)])
    results = PoseResults(open_network([str(path)]), boxes, 0)
    with pytest.raises(PictureError, match='image wide: OpenCV cuts nothing'):
        results.add(Frame('wide', np.zeros((2, 33_000, 3), np.uint8)))
    results.add(SOUND)
    assert len(results.records) == 1
