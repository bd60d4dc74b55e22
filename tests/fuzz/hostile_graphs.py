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


def by_brightness(model: onnx.ModelProto) -> None:
    """A value that is empty where an image shows nothing, and gigabytes elsewhere."""
    out = make_way(model)
    image = model.graph.input[0].name
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(1e5, np.float32), 'scale'),
            numpy_helper.from_array(np.array([1]), 'one'),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node('Mul', [image, image], ['squared']),
            helper.make_node('ReduceMax', ['squared'], ['brightest'], keepdims=0),
            helper.make_node('Mul', ['brightest', 'scale'], ['scaled']),
            helper.make_node('Cast', ['scaled'], ['whole'], to=TensorProto.INT64),
            helper.make_node('Reshape', ['whole', 'one'], ['size']),
        ]
    )
    add_constant(model, 'size', out)


def add_constant(model: onnx.ModelProto, size: str, out: str) -> None:
    """Make a value of some size, of which the result has the sum."""
    model.graph.node.extend(
        [
            helper.make_node('ConstantOfShape', [size], ['large']),
            helper.make_node('ReduceSum', ['large'], ['nothing'], keepdims=0),
            helper.make_node('Add', ['before', 'nothing'], [out]),
        ]
    )


def untold_size(model: onnx.ModelProto) -> None:
    """A value of gigabytes whose size is computed in a way that no file tells."""
    out = make_way(model)
    model.graph.initializer.append(
        numpy_helper.from_array(np.array([2.5e9], np.float32), 'many')
    )
    node = helper.make_node('Cast', ['many'], ['size'], to=TensorProto.INT64)
    model.graph.node.append(node)
    add_constant(model, 'size', out)


def multiplied(model: onnx.ModelProto) -> None:
    """The same, for whoever follows numbers through a graph to know sizes."""
    out = make_way(model)
    for name in ('wide', 'high'):
        side = numpy_helper.from_array(np.array([50_000]), name)
        model.graph.initializer.append(side)
    model.graph.node.extend(
        [
            helper.make_node('Mul', ['wide', 'high'], ['size']),
            helper.make_node('ConstantOfShape', ['size'], ['once']),
            helper.make_node('Add', ['once', 'once'], ['twice']),
            helper.make_node('ReduceMax', ['twice'], ['most'], keepdims=0),
            helper.make_node('Add', ['before', 'most'], [out]),
        ]
    )


def add_many(
    model: onnx.ModelProto, sides: list[int], kind: str, **more: object
) -> str:
    """Go through a value of zeros, in ways that have a graph for each part of it."""
    out = make_way(model)
    model.graph.initializer.append(numpy_helper.from_array(np.array(sides), 'many'))
    x, y = (helper.make_tensor_value_info(x, TensorProto.FLOAT, None) for x in 'xy')
    body = helper.make_graph([helper.make_node('Neg', ['x'], ['y'])], 'b', [x], [y])
    model.graph.node.extend(
        [
            helper.make_node('ConstantOfShape', ['many'], ['long']),
            helper.make_node('SplitToSequence', ['long'], ['parts'], axis=0),
            helper.make_node(
                kind, ['long' if more else 'parts'], ['gone'], body=body, **more
            ),
            helper.make_node('Identity', ['before'], [out]),
        ]
    )
    return out


def long_scan(model: onnx.ModelProto) -> None:
    """Twelve million rows, one by one."""
    add_many(model, [12_000_000], 'Scan', num_scan_inputs=1)


def mapped(model: onnx.ModelProto) -> None:
    """The same, as a sequence."""
    add_many(model, [12_000_000], 'SequenceMap')


def repeated_text(model: onnx.ModelProto) -> None:
    """A text of a megabyte three thousand times: no limit of a runtime counts it."""
    out = make_way(model)
    text = helper.make_tensor('text', TensorProto.STRING, [1], [b'A' * 2**20])
    model.graph.initializer.append(text)
    add_texts(model, out)


def constant_text(model: onnx.ModelProto) -> None:
    """The same by a node."""
    out = make_way(model)
    node = helper.make_node('Constant', [], ['text'], value_strings=[b'A' * 2**20])
    model.graph.node.append(node)
    add_texts(model, out)


def add_texts(model: onnx.ModelProto, out: str) -> None:
    """Take a text three thousand times."""
    places = numpy_helper.from_array(np.zeros(3000, np.int64), 'places')
    model.graph.initializer.append(places)
    model.graph.node.extend(
        [
            helper.make_node('Gather', ['text', 'places'], ['texts']),
            helper.make_node('Identity', ['before'], [out]),
        ]
    )


def digits(model: onnx.ModelProto) -> None:
    """Numbers as texts."""
    out = make_way(model)
    model.graph.node.extend(
        [
            helper.make_node('Cast', ['before'], ['texts'], to=TensorProto.STRING),
            helper.make_node('Cast', ['texts'], [out], to=TensorProto.FLOAT),
        ]
    )


def large_product(model: onnx.ModelProto) -> None:
    """A product that takes minutes, and that nothing can interrupt."""
    out = make_way(model)
    sides = numpy_helper.from_array(np.array([8000, 8000]), 'sides')
    model.graph.initializer.append(sides)
    model.graph.node.extend(
        [
            helper.make_node('ConstantOfShape', ['sides'], ['factor']),
            helper.make_node('MatMul', ['factor', 'factor'], ['product']),
            helper.make_node('ReduceMax', ['product'], ['most'], keepdims=0),
            helper.make_node('Add', ['before', 'most'], [out]),
        ]
    )


def wide_window(model: onnx.ModelProto) -> None:
    """The same by pooling."""
    out = make_way(model)
    image, side = model.graph.input[0].name, 2**18
    sides = dict(kernel_shape=[side] * 2, pads=[side - 1, side - 1, 0, 0])
    model.graph.node.extend(
        [
            helper.make_node('MaxPool', [image], ['pooled'], **sides),
            helper.make_node('ReduceMax', ['pooled'], ['most'], keepdims=0),
            helper.make_node('Add', ['before', 'most'], [out]),
        ]
    )


def least_by_minus_one(model: onnx.ModelProto) -> None:
    """The least whole number by -1, at which a processor stops the program."""
    out = make_way(model)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([-(2**63)]), 'least'),
            numpy_helper.from_array(np.array([-1]), 'by'),
        ]
    )
    add_quotient(model, out)


def least_by_light(model: onnx.ModelProto) -> None:
    """The same, where an image has a pixel that no noise has."""
    out = make_way(model)
    image = model.graph.input[0].name
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([-(2**63)]), 'least'),
            numpy_helper.from_array(np.array(300), 'away'),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node('Cast', [image], ['whole'], to=TensorProto.INT64),
            helper.make_node('ReduceMax', ['whole'], ['brightest'], keepdims=0),
            helper.make_node('Sub', ['brightest', 'away'], ['by']),
        ]
    )
    add_quotient(model, out)


def add_quotient(model: onnx.ModelProto, out: str) -> None:
    """Divide a whole number, and add it to the result."""
    model.graph.node.extend(
        [
            helper.make_node('Div', ['least', 'by'], ['quotient']),
            helper.make_node('Cast', ['quotient'], ['real'], to=TensorProto.FLOAT),
            helper.make_node('Add', ['before', 'real'], [out]),
        ]
    )


def sparse(model: onnx.ModelProto) -> None:
    """Gigabytes of weights, of which the file has one."""
    sparse_constant(model)
    node = next(x for x in model.graph.node if x.op_type == 'Constant')
    weight = node.attribute[0].sparse_tensor
    weight.values.name = node.output[0]
    model.graph.sparse_initializer.append(weight)
    model.graph.node.remove(node)


def sparse_constant(model: onnx.ModelProto) -> None:
    """The same by a node."""
    out = make_way(model)
    values = helper.make_tensor('', TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor('', TensorProto.INT64, [1], [5])
    weight = helper.make_sparse_tensor(values, places, [900_000_000])
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), 'first'))
    model.graph.node.extend(
        [
            helper.make_node('Constant', [], ['sparse'], sparse_value=weight),
            helper.make_node('Gather', ['sparse', 'first'], ['nothing']),
            helper.make_node('Add', ['before', 'nothing'], [out]),
        ]
    )


def many_values(model: onnx.ModelProto) -> None:
    """Numbers among millions, in memory that no limit of a runtime counts."""
    out = make_way(model)
    for name, number in dict(start=0, end=25_000_000, step=1, first=0).items():
        weight = numpy_helper.from_array(np.array(number), name)
        model.graph.initializer.append(weight)
    model.graph.node.extend(
        [
            helper.make_node('Range', ['start', 'end', 'step'], ['range']),
            helper.make_node('Unique', ['range'], ['values']),
            helper.make_node('Gather', ['values', 'first'], ['least']),
            helper.make_node('Cast', ['least'], ['nothing'], to=TensorProto.FLOAT),
            helper.make_node('Add', ['before', 'nothing'], [out]),
        ]
    )


def crowded(model: onnx.ModelProto) -> None:
    """Very many operators."""
    name = make_way(model)
    places = ['before', *(str(k) for k in range(50_000)), name]
    model.graph.node.extend(
        helper.make_node('Identity', [before], [after])
        for before, after in zip(places, places[1:])
    )


def no_input(model: onnx.ModelProto) -> None:
    """A network that takes nothing."""
    for image in model.graph.input:
        sides = [x.dim_value or 16 for x in image.type.tensor_type.shape.dim]
        zeros = np.zeros(sides, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(zeros, image.name))
    del model.graph.input[:]


def in_a_sequence(model: onnx.ModelProto) -> None:
    """A result that is no array."""
    out = make_way(model)
    model.graph.node.append(helper.make_node('SequenceConstruct', ['before'], [out]))
    made = helper.make_tensor_sequence_value_info(out, TensorProto.FLOAT, None)
    model.graph.output[0].CopyFrom(made)


NO_END = 'need not end'
HOSTILE: dict[Callable[[onnx.ModelProto], None], str] = {
    external: 'in another file',
    external_constant: 'in another file',
    spoilt_constant: 'inf or nan',
    endless: NO_END,
    nested_loops: NO_END,
    untold_loop: NO_END,
    long_scan: NO_END,
    mapped: NO_END,
    growing: 'takes more than 1.5 GB',
    multiplied: 'takes more than 1.5 GB',
    by_brightness: 'takes more than 1.5 GB',
    untold_size: 'takes more than 1.5 GB',
    repeated_text: 'the weights text are texts',
    constant_text: 'computes with texts',
    digits: 'computes with texts',
    large_product: 'takes longer than any',
    wide_window: 'takes longer than any',
    own_function: 'functions of its own',
    least_by_minus_one: 'divides whole numbers by such',
    least_by_light: 'divides whole numbers by such',
    sparse: 'has sparse weights',
    sparse_constant: 'has sparse weights',
    many_values: 'the operator Unique',
    crowded: 'more than 50,000 operators',
    no_input: 'is not as MMDeploy exports',
    in_a_sequence: 'is not as MMDeploy exports',
}
"""All of them, with what is said where any operator is allowed."""
OURS = {
    **dict.fromkeys((endless, nested_loops, untold_loop), 'the operator Loop, which'),
    **dict.fromkeys((long_scan, mapped), 'the operator SplitToSequence, which'),
    by_brightness: 'depends on what the image shows',
    no_input: 'does not take one batch of images',
    in_a_sequence: 'the operator SequenceConstruct, which',
}
"""Those of which something else is said in a network of ours."""
