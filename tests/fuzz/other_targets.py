"""Readers of exported networks, and of what was predicted with others."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from hostile_graphs import HOSTILE
from hostile_pickles import hide
from isolation import Files, Input
from made_up import pose, sample
from mutations import BYTES, JSON
from onnx import TensorProto, helper, numpy_helper
from target import Target

from litehrnet_mm.analysis.dumps import USED, read_dump
from litehrnet_mm.prediction.networks import open_network, takes_boxes
from litehrnet_mm.prediction.onnx_detector import OnnxBoxes

POINTS = ('nose', 'left_eye', 'right_eye')


def network(inputs: list, outputs: list, nodes: list, weights: dict) -> onnx.ModelProto:
    """A network of a few nodes."""
    arrays = [numpy_helper.from_array(x, name) for name, x in weights.items()]
    values = [
        [helper.make_tensor_value_info(*value) for value in values]
        for values in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, 'net', *values, arrays)
    imports = [helper.make_opsetid('', 17)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def common(task: str) -> dict[str, Any]:
    """What files of all tasks tell."""
    return dict(
        task=task, version='1.0', input_size=[16, 12], rgb=True,
        mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4],
    )  # fmt: skip


def pose_facts() -> dict[str, Any]:
    """What a file for poses tells."""
    codec = dict(type='MSRAHeatmap', input_size=[12, 16], heatmap_size=[6, 8], sigma=2)
    return dict(
        common('pose'), keypoints=list(POINTS), skeleton=[[0, 1], [0, 2]],
        flip_pairs=[0, 2, 1], codec=codec, padding=1.25, udp=False,
        test_cfg=dict(flip_test=True, shift_heatmap=False),
    )  # fmt: skip


def seg_facts() -> dict[str, Any]:
    """What a file for segmentation tells."""
    return dict(
        common('segmentation'), classes=['road', 'sky'], palette=[[1, 2, 3], [4, 5, 6]],
        resize=dict(scale=[12, 16], keep_ratio=True), threshold=None,
    )  # fmt: skip


def with_facts(model: onnx.ModelProto, facts: dict[str, Any]) -> bytes:
    """A network as tools/export_onnx.py writes it."""
    told = {f'litehrnet_mm.{key}': json.dumps(value) for key, value in facts.items()}
    helper.set_model_props(model, told)
    return model.SerializeToString()


def convolution(channels: int, stride: int, size: list, out: str) -> onnx.ModelProto:
    """A network of one convolution and a ReLU."""
    random_numbers = np.random.default_rng(channels)
    weights = random_numbers.standard_normal((channels, 3, 3, 3)).astype(np.float32)
    bias = np.ones(channels, np.float32)
    nodes = [
        helper.make_node(
            'Conv', ['image', 'w', 'b'], ['x'], strides=[stride] * 2, pads=[1] * 4
        ),
        helper.make_node('Relu', ['x'], [out]),
    ]
    rows, columns = (side if isinstance(side, str) else side // stride for side in size)
    return network(
        [('image', TensorProto.FLOAT, ['N', 3, *size])],
        [(out, TensorProto.FLOAT, ['N', channels, rows, columns])],
        nodes,
        dict(w=weights, b=bias),
    )


def onnx_seeds() -> list[Files]:
    """A file for poses, and one for segmentation."""
    contents = (
        with_facts(convolution(3, 2, [16, 12], 'heatmaps'), pose_facts()),
        with_facts(convolution(2, 1, ['H', 'W'], 'logits'), seg_facts()),
    )
    return [{'x.onnx': content} for content in contents]


def run_network(folder: Path) -> Any:
    """Open a file as tools/predict.py does, and predict on an image."""
    found = open_network([str(folder / 'x.onnx')])
    image = np.random.default_rng(1).integers(0, 256, (30, 20, 3), np.uint8)
    if takes_boxes(found):
        points, scores = found(image, np.array([[2, 3, 15, 25]], np.float32))
        finite = bool(np.isfinite(points).all() and np.isfinite(scores).all())
        facts = (tuple(found.keypoints), found.size, len(found.skeleton))
        return 'pose', points.shape, scores.shape, finite, facts
    labels = found(image)
    colours = [len(colour) for colour in found.palette]
    right = bool(labels.max() < len(found.classes) == len(colours))
    return 'segmentation', labels.shape, labels.dtype.name, right, set(colours)


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether a value is a number strictly between two."""
    return type(value) in (int, float) and low < value < high


def told_faults(model: onnx.ModelProto) -> list[str]:
    """Facts that cannot be, by a check written down here once more."""
    facts = {
        x.key.removeprefix('litehrnet_mm.'): json.loads(x.value)
        for x in model.metadata_props
        if x.key.startswith('litehrnet_mm.')
    }
    numbers = dict(padding=(0, 100), threshold=(0, 1))
    wrong = [
        key
        for key, limits in numbers.items()
        if facts.get(key) is not None and not is_number(facts[key], *limits)
    ]
    wrong += [k for k in ('rgb', 'udp') if k in facts and type(facts[k]) is not bool]
    for key, low in dict(mean=-1e30, std=0).items():
        if not all(is_number(value, low, 1e30) for value in facts[key]):
            wrong.append(key)
    if facts['task'] == 'pose':
        wrong += ['padding'] * (facts.get('padding') is None)
        count = range(len(facts['keypoints']))
        wrong += ['flip_pairs'] * (sorted(facts['flip_pairs']) != list(count))
        joints = [joint for pair in facts['skeleton'] for joint in pair]
        wrong += ['skeleton'] * any(joint not in count for joint in joints)
    return wrong


def judge_network(expected: Any, found: Any, item: Input) -> str:
    """It finds and tells what can be, in numbers, and has no weights that are none."""
    model = onnx.load_from_string(item.files['x.onnx'])
    for weight in model.graph.initializer:
        if not np.isfinite(numpy_helper.to_array(weight)).all():
            return f'the weights {weight.name} are not finite'
    wrong = told_faults(model)
    if wrong or reads_files(model):
        return f'has facts that cannot be: {wrong}, or weights in another file'
    if found[0] == 'segmentation':
        right = found[1:] == ((30, 20), 'uint8', True, {3})
    else:
        count = len(found[4][0])
        right = found[1:4] == ((1, count, 2), (1, count), True)
    return '' if right else f'found {found}'


def reads_files(model: onnx.ModelProto) -> bool:
    """Whether it has tensors in other files, wherever in it."""
    return b'location' in model.graph.SerializeToString()


def hostile_graph(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Make a graph a hostile one."""
    model = onnx.load_from_string(data)
    chance.choice([*HOSTILE])(model)
    return model.SerializeToString()


def told_otherwise(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change one of the facts that a file tells, as JSON, or leave it out."""
    model = onnx.load_from_string(data)
    told = {x.key: x.value for x in model.metadata_props}
    key = chance.choice(list(told))
    if chance.random() < 0.1:
        del told[key]
    else:
        change = JSON[chance.choice(list(JSON))]
        changed = change(told[key].encode(), told[key].encode(), chance)
        told[key] = changed.decode(errors='replace')
    helper.set_model_props(model, told)
    return model.SerializeToString()


def other_graph(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change attributes, shapes, names or weights of the graph, all else right."""
    model = onnx.load_from_string(data)
    graph = model.graph
    how = chance.randrange(6)
    extreme = chance.choice((-1, 0, 1, 7, 2**16, 2**31 - 1, 2**31, 2**40, 2**62))
    if how == 0:
        lists = [x for node in graph.node for x in node.attribute if x.ints]
        if lists:
            attribute = chance.choice(lists)
            attribute.ints[chance.randrange(len(attribute.ints))] = extreme
    elif how == 1:
        shape = chance.choice([*graph.input, *graph.output]).type.tensor_type.shape
        chance.choice(shape.dim).dim_value = extreme
    elif how == 2:
        tensor = chance.choice([x for x in graph.initializer if x.dims])
        tensor.dims[chance.randrange(len(tensor.dims))] = extreme
    elif how == 3:
        floats = [x for x in graph.initializer if x.data_type == TensorProto.FLOAT]
        tensor = chance.choice(floats)
        numbers = np.frombuffer(tensor.raw_data, np.float32).copy()
        bad = chance.choice((np.nan, np.inf, -np.inf))
        numbers[chance.randrange(len(numbers))] = bad
        tensor.raw_data = numbers.tobytes()
    elif how == 4:
        node = chance.choice(graph.node)
        node.op_type = chance.choice(
            ('Loop', 'Exp', 'Reshape', 'NonMaxSuppression', '')
        )
    else:
        tensor = chance.choice(graph.initializer)
        tensor.ClearField('raw_data')
        tensor.data_location = TensorProto.EXTERNAL
        where = chance.choice(('/dev/zero', '../../../../etc/passwd', 'x.onnx'))
        tensor.external_data.add(key='location', value=where)
    return model.SerializeToString()


def detector_seeds() -> list[Files]:
    """A detector as MMDeploy exports them, whose boxes do not depend on the image."""
    boxes = np.array([[[1, 2, 20, 30, 0.9], [3, 4, 9, 9, 0.4]]], np.float32)
    nodes = [
        helper.make_node('ReduceMean', ['input'], ['mean'], keepdims=0),
        helper.make_node('Mul', ['mean', 'zero'], ['none']),
        helper.make_node('Add', ['boxes', 'none'], ['dets']),
        helper.make_node('Identity', ['classes'], ['labels']),
    ]
    weights = dict(
        boxes=boxes, zero=np.zeros((), np.float32), classes=np.array([[0, 0]])
    )
    model = network(
        [('input', TensorProto.FLOAT, [1, 3, 32, 32])],
        [('dets', TensorProto.FLOAT, [1, 2, 5]), ('labels', TensorProto.INT64, [1, 2])],
        nodes,
        weights,
    )
    return [{'x.onnx': model.SerializeToString()}]


def detect(folder: Path) -> Any:
    """Boxes in an image."""
    image = np.random.default_rng(1).integers(0, 256, (30, 20, 3), np.uint8)
    found = OnnxBoxes(folder / 'x.onnx', 0.3)('x', image)
    return found.ndim, found.shape[1:], bool(np.isfinite(found).all())


def judge_detector(expected: Any, found: Any, item: Input) -> str:
    """Boxes with scores, in numbers."""
    if reads_files(onnx.load_from_string(item.files['x.onnx'])):
        return 'has weights in another file'
    return '' if found == (2, (5,), True) else f'found {found}'


def dump_seeds() -> list[Files]:
    """Predictions as MMEngine's ``DumpResults`` writes them, arrays and tensors."""
    arrays = [sample(k, k // 2 + 1, pose(20 * k, 30, k)) for k in range(3)]
    tensors = [
        {
            **one,
            'pred_instances': {
                key: torch.from_numpy(np.array(value, np.float32))
                for key, value in one['pred_instances'].items()
            },
        }
        for one in arrays
    ]
    return [
        {'x.pkl': pickle.dumps(content, protocol)}
        for content in (arrays, tensors)
        for protocol in (2, 4)
    ]


def read_samples(folder: Path) -> Any:
    """Of each sample what evaluation needs: types, shapes, whether it is finite."""
    found = []
    for one in read_dump(folder / 'x.pkl'):
        predicted = one['pred_instances']
        parts = [predicted[key] for key in ('keypoints', 'keypoint_scores')]
        more = (one['gt_instances'], predicted)
        parts += [held[key] for held in more for key in USED if key in held]
        numbers = [np.asarray(part) for part in parts]
        finite = all(bool(np.isfinite(x).all()) for x in numbers)
        shapes = [(x.shape, x.dtype.kind) for x in numbers]
        found.append((type(one['id']), type(one['img_id']), shapes, finite))
    return found


def other_values(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put a value that cannot be in the place of one that evaluation needs."""
    samples = pickle.loads(data)
    one = chance.choice(samples)
    if chance.random() < 0.3:
        key = chance.choice(('id', 'img_id'))
        one[key] = chance.choice(
            (None, '1', 0.5, [0.5], -1, True, np.float32(1), 2**70)
        )
        return pickle.dumps(samples, 2)
    held = one[chance.choice(('pred_instances', 'gt_instances'))]
    key = chance.choice(
        [k for k in ('keypoints', 'keypoint_scores', *USED) if k in held]
    )
    array = np.array(held[key])
    how = chance.randrange(3)
    if how == 0:
        array.flat[0] = chance.choice((np.nan, np.inf, -np.inf))
        held[key] = array if chance.random() < 0.5 else torch.from_numpy(array)
    elif how == 1:
        held[key] = chance.choice((None, 'x', array.tolist(), array.astype(complex)))
    else:
        held[key] = array.reshape(-1)
    return pickle.dumps(samples, 2)


def judge_samples(expected: Any, found: Any, item: Input) -> str:
    """As many samples, of the same shapes, in numbers."""
    return '' if found == expected else f'read as {str(found)[:200]}'


def hostile(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A pickle with hostile opcodes in it."""
    return hide(data, chance)


TARGETS = [
    Target('ONNX', onnx_seeds, 'x.onnx', BYTES, run_network, judge_network),
    Target('ONNX, metadata', onnx_seeds, 'x.onnx', {'facts': told_otherwise},
           run_network, judge_network),
    Target('ONNX, graph', onnx_seeds, 'x.onnx',
           {'graph': other_graph, 'hostile': hostile_graph}, run_network,
           judge_network),
    Target('ONNX detector', detector_seeds, 'x.onnx',
           {**BYTES, 'graph': other_graph, 'hostile': hostile_graph}, detect,
           judge_detector),
    Target('dump of predictions', dump_seeds, 'x.pkl',
           {**BYTES, **{f'hostile {k}': hostile for k in range(5)},
            'values': other_values, 'more values': other_values}, read_samples,
           judge_samples),
]  # fmt: skip
