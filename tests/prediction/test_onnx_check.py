"""ONNX files that are damaged or hostile are refused when they are opened."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import onnx
import pytest
from hostile_graphs import HOSTILE, OURS, add_many, by_brightness, endless, make_way
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
    """Loops are refused before they run, in a network of ours whatever they do."""
    words = HOSTILE[change]
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change))
    expected = OURS.get(change, words)
    with pytest.raises(UserError, match=rf'x\.onnx.* {expected}') as refused:
        open_network([str(path)])
    assert str(refused.value).isprintable()
    path.write_bytes(changed(change, seeds=detector_seeds))
    with pytest.raises(UserError, match=rf'x\.onnx.* {words}'):
        OnnxBoxes(path, 0.3)


def scan(sides: list[int], model: onnx.ModelProto) -> None:
    """Go through a value row by row."""
    add_many(model, sides, 'Scan', num_scan_inputs=1)


def loop(count: onnx.AttributeProto | np.ndarray, model: onnx.ModelProto) -> None:
    """Repeat a part so many times; the number in whatever form."""
    endless(model)
    (old,) = (x for x in model.graph.initializer if x.name == 'count')
    if isinstance(count, np.ndarray):
        old.CopyFrom(numpy_helper.from_array(count, 'count'))
        return
    model.graph.initializer.remove(old)
    node = helper.make_node('Constant', [], ['count'])
    node.attribute.append(count)
    model.graph.node.insert(0, node)


def branching(inner: int | None, model: onnx.ModelProto) -> None:
    """A loop in both branches, whose number is a constant outside of them.

    Args:
        inner: A number of the same name within the branches.
        model: The network.
    """
    endless(model)
    node = model.graph.node.pop()
    (out,) = node.output
    (count,) = (x for x in model.graph.initializer if x.name == 'count')
    count.CopyFrom(numpy_helper.from_array(np.array(7), 'count'))
    made = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
    own = [] if inner is None else [numpy_helper.from_array(np.array(inner), 'count')]
    branches = {
        f'{name}_branch': helper.make_graph([node], name, [], [made], own)
        for name in ('then', 'else')
    }
    model.graph.node.append(helper.make_node('If', ['cond'], [out], **branches))


SOON = [
    partial(scan, [9000, 2]),
    partial(loop, np.array(7)),
    partial(loop, np.array([7])),
    partial(loop, helper.make_attribute('value_int', 7)),
    partial(loop, helper.make_attribute('value_ints', [7])),
    partial(branching, None),
]
NOT_SOON = [
    partial(scan, [2, 11_000]),  # an older version goes along the second side
    partial(loop, helper.make_attribute('value_int', 11_000)),
    partial(loop, helper.make_attribute('value_float', 7.0)),
    partial(branching, 11_000),
]


@pytest.mark.parametrize('change', SOON)
def test_loops_of_few_turns_are_for_detectors(tmp_path, change):
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change))
    check_onnx(path, operators=None)
    with pytest.raises(UserError, match=r'the operator \w+, which'):
        check_onnx(path)


@pytest.mark.parametrize('change', NOT_SOON)
def test_loops_of_many_turns_are_for_none(tmp_path, change):
    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(change))
    with pytest.raises(UserError, match='need not end, or not soon'):
        check_onnx(path, operators=None)


def test_what_is_computed_when_a_file_is_opened(tmp_path):
    """A runtime keeps all that does not depend on the image: each is small here."""

    def prepare(model: onnx.ModelProto) -> None:
        many = numpy_helper.from_array(np.array([2**25]), 'many')
        model.graph.initializer.append(many)
        for k in range(5):
            made = helper.make_node('ConstantOfShape', ['many'], [f'made {k}'])
            model.graph.node.append(made)

    def hide(model: onnx.ModelProto) -> None:
        many = numpy_helper.from_array(np.array([2.0**25], np.float32), 'many')
        model.graph.initializer.append(many)
        for k in range(20):
            size = helper.make_node('Cast', ['many'], [f's{k}'], to=TensorProto.INT64)
            made = helper.make_node('ConstantOfShape', [f's{k}'], [f'made {k}'])
            model.graph.node.extend([size, made])

    path = tmp_path / 'x.onnx'
    for change, words in (
        (prepare, 'do not depend on the image'),
        (hide, 'of 20 cons'),
    ):
        path.write_bytes(changed(change))
        with pytest.raises(UserError, match=words):
            check_onnx(path)


def test_operators_out_of_order(tmp_path):
    """As those of our files in half precision; a runtime sorts them."""

    def hide(model: onnx.ModelProto) -> None:
        by_brightness(model)
        model.graph.node.reverse()

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(lambda model: model.graph.node.reverse()))
    check_onnx(path)
    path.write_bytes(changed(hide))
    with pytest.raises(UserError, match='depends on what the image shows'):
        check_onnx(path)


def test_one_network_after_another(tmp_path):
    """Each takes more than half of the limit, which is whole again afterwards."""

    def enlarge(many: int, model: onnx.ModelProto) -> None:
        size = numpy_helper.from_array(np.array([many]), 'many')
        model.graph.initializer.append(size)
        zero = numpy_helper.from_array(np.array([0]))
        made = helper.make_node('ConstantOfShape', ['many'], ['made'], value=zero)
        model.graph.node.append(made)

    path = tmp_path / 'x.onnx'
    for many in (105_000_000, 115_000_000):
        path.write_bytes(changed(partial(enlarge, many)))
        check_onnx(path)


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    path = tmp_path / 'x.onnx'
    path.write_bytes(bytes(2000))
    monkeypatch.setattr('litehrnet_mm.prediction.onnx_check.MOST_BYTES', 1000)
    with pytest.raises(
        UserError, match=r'x\.onnx .*larger than .*its config and check'
    ):
        check_onnx(path)


@pytest.mark.parametrize('open_file', [open_network, lambda x: OnnxBoxes(x[0], 0.3)])
def test_names_that_no_file_has(open_file):
    with pytest.raises(UserError, match='no such'):
        open_file([f'{"a" * 300}.onnx'])


def test_weights_may_be_inputs(tmp_path):
    """As in files before the fourth version of ONNX's format."""

    def list_weights(model: onnx.ModelProto) -> None:
        model.graph.input.extend(
            helper.make_tensor_value_info(x.name, x.data_type, x.dims)
            for x in model.graph.initializer
        )
        model.ir_version = 3
        # As zeros, they would be refused: they tell a shape, of which nothing is left.
        model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), 'all'))
        model.graph.input.append(helper.make_tensor_value_info('all', 7, [1]))
        out = make_way(model)
        model.graph.node.append(helper.make_node('Reshape', ['before', 'all'], [out]))
        del model.graph.output[0].type.tensor_type.shape.dim[1:]

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(list_weights))
    check_onnx(path)


def test_masks_of_detectors_may_be_infinite(tmp_path):
    def mask(model: onnx.ModelProto) -> None:
        value = numpy_helper.from_array(np.array(-np.inf, np.float32), 'mask')
        model.graph.initializer.append(value)
        out = make_way(model)
        model.graph.node.append(helper.make_node('Add', ['before', 'mask'], [out]))

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(mask))
    check_onnx(path, operators=None)
    with pytest.raises(UserError, match='the weights mask hold inf or nan'):
        check_onnx(path)


def test_only_operators_that_are_written_here(tmp_path):
    def rename(model: onnx.ModelProto) -> None:
        model.graph.node[1].op_type = 'Exp'

    path = tmp_path / 'x.onnx'
    path.write_bytes(changed(rename))
    with pytest.raises(UserError, match='the operator Exp, which'):
        open_network([str(path)])
    check_onnx(path, operators=None)


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
        (0, 'std', [1, 1e-300, 1]),
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
        (1, 'more', [[]] * 300_000),
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
