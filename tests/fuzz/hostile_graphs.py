"""Changes to an ONNX graph that read other files, never end, or take all memory."""

from __future__ import annotations

from typing import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def outsourced(model: onnx.ModelProto) -> onnx.TensorProto:
    """Some weights of a graph as they would be, were they in another file."""
    weight = next(x for x in model.graph.initializer if x.dims)
    tensor = onnx.TensorProto(
        name=weight.name,
        dims=weight.dims,
        data_type=weight.data_type,
        data_location=TensorProto.EXTERNAL,
    )
    tensor.external_data.add(key='location', value='x.onnx')
    return tensor


def external(model: onnx.ModelProto) -> None:
    """Take weights out of another file."""
    tensor = outsourced(model)
    weight = next(x for x in model.graph.initializer if x.name == tensor.name)
    weight.CopyFrom(tensor)


def external_constant(model: onnx.ModelProto) -> None:
    """The same by a node."""
    tensor = outsourced(model)
    weight = next(x for x in model.graph.initializer if x.name == tensor.name)
    model.graph.initializer.remove(weight)
    node = helper.make_node('Constant', [], [tensor.name], value=tensor)
    model.graph.node.insert(0, node)


def spoilt_constant(model: onnx.ModelProto) -> None:
    """Weights of a node that are no numbers."""
    weight = next(x for x in model.graph.initializer if x.dims)
    numbers = np.full(weight.dims, np.nan, np.float32)
    value = numpy_helper.from_array(numbers, weight.name)
    model.graph.initializer.remove(weight)
    node = helper.make_node('Constant', [], [value.name], value=value)
    model.graph.node.insert(0, node)


def make_way(model: onnx.ModelProto) -> str:
    """Give the first output another name; the one that it had."""
    name = model.graph.output[0].name
    for node in model.graph.node:
        for place, output in enumerate(node.output):
            if output == name:
                node.output[place] = 'before'
    return name


def endless(model: onnx.ModelProto, within: bool = False, told: bool = True) -> None:
    """Go through a loop 2**62 times; within another, or without saying how often."""
    out = make_way(model)
    values = dict(i=TensorProto.INT64, c=TensorProto.BOOL, v=TensorProto.FLOAT)
    values |= dict(co=TensorProto.BOOL, vo=TensorProto.FLOAT)
    i, c, v, co, vo = (
        helper.make_tensor_value_info(name, kind, None if 'v' in name else [])
        for name, kind in values.items()
    )
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['c'], ['co']),
            helper.make_node('Identity', ['v'], ['vo']),
        ],
        'body', [i, c, v], [co, vo],
    )  # fmt: skip
    if within:
        other = onnx.GraphProto()
        other.CopyFrom(body)
        other.name = 'within'
        other.initializer.append(numpy_helper.from_array(np.array(9_999), 'turns'))
        del body.node[1]
        node = helper.make_node('Loop', ['turns', 'c', 'v'], ['vo'], body=other)
        body.node.append(node)
    count = 9_999 if within else 2**62
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(count), 'count'),
            numpy_helper.from_array(np.array(True), 'cond'),
        ]
    )
    names = ['count' if told else '', 'cond', 'before']
    model.graph.node.append(helper.make_node('Loop', names, [out], body=body))


def nested_loops(model: onnx.ModelProto) -> None:
    """A hundred million turns, in two loops."""
    endless(model, within=True)


def untold_loop(model: onnx.ModelProto) -> None:
    """A loop whose end no file tells."""
    endless(model, told=False)


def growing(model: onnx.ModelProto) -> None:
    """A value whose size is computed from the input, and is ten gigabytes."""
    out = make_way(model)
    image = model.graph.input[0].name
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([2_500_000_000]), 'many'),
            numpy_helper.from_array(np.array([0]), 'first'),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node('Shape', [image], ['shape']),
            helper.make_node('Gather', ['shape', 'first'], ['batch']),
            helper.make_node('Mul', ['batch', 'many'], ['size']),
            helper.make_node('ConstantOfShape', ['size'], ['large']),
            helper.make_node('ReduceSum', ['large'], ['nothing'], keepdims=0),
            helper.make_node('Add', ['before', 'nothing'], [out]),
        ]
    )


def own_function(model: onnx.ModelProto) -> None:
    """A function with a graph of its own."""
    node = helper.make_node('Identity', ['a'], ['b'])
    imports = [helper.make_opsetid('', 17)]
    made = helper.make_function('own', 'f', ['a'], ['b'], [node], imports)
    model.functions.append(made)


NO_END = 'need not end'
HOSTILE: dict[Callable[[onnx.ModelProto], None], str] = {
    external: 'in another file',
    external_constant: 'in another file',
    spoilt_constant: 'inf or nan',
    endless: NO_END,
    nested_loops: NO_END,
    untold_loop: NO_END,
    growing: 'takes more than 1.5 GB',
    own_function: 'functions of its own',
}
"""All of them, with what is said where any operator is allowed."""
