"""How large the values of an ONNX graph are, and how long one of them takes."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import onnx
from onnx import TensorProto

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.onnx_graphs import (
    Sides,
    are_known,
    graphs_of,
    sides_of,
)
from litehrnet_mm.values import shown

MOST_NUMBERS = 2**28
"""Of a value within a network: a gigabyte in fp32, twice what streets of 2048×1024
pixels need."""
MOST_PRODUCTS = 2**37
"""Of one operator, some seconds; the layers of large detectors have a third of it."""
MOST_PREPARED = 2**27
"""Numbers that do not depend on the image, which the runtime computes when it opens a
file, and keeps."""
MOST_UNTOLD = 16
"""Of those numbers, values whose size is not known before: the runtime keeps none that
are larger than :data:`~litehrnet_mm.runtime.model.MOST_FOLDED`."""
DYNAMIC = 640
"""Rows and columns that stand for those which a file leaves open."""
SMALL = 1024
"""Bytes of weights that may be sizes."""
SIZED = {
    **dict.fromkeys(('ConstantOfShape', 'Range'), 0),
    **dict.fromkeys(('Reshape', 'Resize', 'Pad', 'Slice', 'Split', 'Squeeze'), 1),
    **dict.fromkeys(('Unsqueeze', 'ReduceSum', 'ReduceMax'), 1),
}
"""Operators the size of whose result is that of numbers which they are given, and
which of their inputs is the first of these."""
WINDOWS = frozenset({'AveragePool', 'MaxPool', 'LpPool'})
LONG = WINDOWS | {'Conv', 'ConvTranspose', 'Gemm', 'MatMul'}
"""Operators that compute far more than they give; none of them can be ended."""


def with_shapes(model: onnx.ModelProto) -> tuple[onnx.GraphProto, set[str]]:
    """Find out the shapes of the values of a model.

    Nothing that the file says of them counts, but the shapes of inputs and weights.
    The large weights of the model are taken away, which takes less memory.

    Returns:
        Its graph with the shapes as far as they are known, for images of
        :data:`DYNAMIC` where the file takes any; and the names of the values whose
        shapes depend on the image's.
    """
    _forget_shapes(model.graph)
    for weight in model.graph.initializer:
        if weight.ByteSize() > SMALL:
            weight.CopyFrom(
                TensorProto(
                    name=weight.name, dims=weight.dims, data_type=weight.data_type
                )
            )
    for image in images(model.graph):
        for side in image.type.tensor_type.shape.dim:
            if side.dim_value <= 0:  # some write open ones so
                side.ClearField('dim_value')
    _sort(model.graph)
    # Numbers are not followed: values of them could take any memory here.
    free = onnx.shape_inference.infer_shapes(model).graph
    for image in images(model.graph):
        for place, side in enumerate(image.type.tensor_type.shape.dim):
            if not side.HasField('dim_value'):
                side.dim_value = DYNAMIC if place else 1
    names = {name for name, sides in sides_of(free).items() if not are_known(sides)}
    return onnx.shape_inference.infer_shapes(model).graph, names


def _forget_shapes(graph: onnx.GraphProto) -> None:
    """Take away what a graph, and those within it, say of shapes."""
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField('shape')
    for node in graph.node:
        for part in graphs_of(node):
            for value in part.input:
                value.type.tensor_type.ClearField('shape')
            _forget_shapes(part)


def _sort(graph: onnx.GraphProto) -> None:
    """Put each operator behind those whose results it takes, as a runtime does.

    Those of our files in half precision are not. A graph with others in it, which take
    results without naming them, stays as it is.
    """
    nodes = list(graph.node)
    if any(True for node in nodes for _ in graphs_of(node)):
        return
    made = {name: k for k, node in enumerate(nodes) for name in node.output}
    before = {
        k: [made[name] for name in node.input if name and name in made]
        for k, node in enumerate(nodes)
    }
    order = list(TopologicalSorter(before).static_order())
    del graph.node[:]
    graph.node.extend(nodes[k] for k in order)


def images(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs but weights, which older files list among them."""
    weights = {weight.name for weight in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def check_shapes(
    graph: onnx.GraphProto, path: Path, around: Sides | None = None
) -> None:
    """Look at the values of a graph, and of those within it.

    Args:
        graph: It, with shapes.
        path: Its file, for messages.
        around: The sides of values of the graphs around it.

    Raises:
        UserError: If one is too large, is text, or takes too long to compute.
    """
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.STRING:
            raise UserError(f'{path}: the value {shown(value.name)} is text')
        sides = [side.dim_value for side in value.type.tensor_type.shape.dim]
        if _size(sides) > MOST_NUMBERS:
            raise UserError(
                f'{path}: the value {shown(value.name)} has the shape '
                f'{shown(str(sides))}, larger than any in a network'
            )
    sides = {**(around or {}), **sides_of(graph)}
    for node in graph.node:
        if _products(node, sides) > MOST_PRODUCTS:
            raise UserError(
                f'{path}: the operator {shown(node.op_type)} of '
                f'{shown(node.output[0])} takes longer than any in a network'
            )
        for part in graphs_of(node):
            check_shapes(part, path, sides)


def _products(node: onnx.NodeProto, sides: Sides) -> int:
    """How many products an operator computes, where that is more than it gives."""
    out, *given = (sides.get(x) or [] for x in (*node.output[:1], *node.input))
    if node.op_type in WINDOWS:
        window = [x.ints for x in node.attribute if x.name == 'kernel_shape']
        return _size(out) * _size(window[0] if window else ())
    if len(given) < 2:
        return 0
    if node.op_type == 'Conv':
        return _size(out) * _size(given[1][1:])
    if node.op_type == 'ConvTranspose':
        return _size(given[0]) * _size(given[1][1:])
    if node.op_type in ('MatMul', 'Gemm'):
        return _size(out) * max((*given[0][-2:], *given[1][-2:]), default=1)
    return 0


def _size(sides: Sequence[int]) -> int:
    """Of an array, in numbers; sides that are not known count as one."""
    return math.prod(max(side, 1) for side in sides)


def check_told(graph: onnx.GraphProto, free: Collection[str], path: Path) -> bool:
    """Make sure that no size depends on what the image shows.

    Args:
        graph: It, with shapes, its operators in order, and nothing within it.
        free: Names of the values whose shapes depend on the image's.
        path: Its file, for messages.

    Returns:
        Whether the sizes of all that could take long are known, and none of it is
        computed when the file is opened.

    Raises:
        UserError: If one does, or if what does not depend on the image at all is too
            much, or nobody knows how much.
    """
    sides, prepared, untold = sides_of(graph), 0, 0
    by_size: set[str] = set()
    known = True
    seen = {image.name for image in images(graph)}
    for node in graph.node:
        given = [name for name in node.input if name]
        told = node.input[SIZED.get(node.op_type, len(node.input)) :]
        if not seen.isdisjoint(told):
            raise UserError(
                f'{path}: the size of {shown(node.output[0])} depends on what the '
                'image shows, as in no network of this project'
            )
        if node.op_type in LONG:
            known &= not seen.isdisjoint(given)
            known &= all(are_known(sides.get(x)) for x in (*given, *node.output))
        if node.op_type == 'Shape':  # it has a part of the shape if it has attributes
            if not node.attribute and not free.isdisjoint(given):
                by_size.update(node.output)
        elif not seen.isdisjoint(given):
            seen.update(node.output)
        elif not by_size.isdisjoint(given):
            by_size.update(node.output)
        else:
            made = [sides.get(name) for name in node.output if name]
            prepared += sum(_size(x or ()) for x in made)
            untold += sum(not are_known(x) for x in made)
    if untold > MOST_UNTOLD:
        raise UserError(
            f'{path}: of {untold} constants the size is told nowhere, of more than in '
            'any network'
        )
    if prepared > MOST_PREPARED:
        raise UserError(
            f'{path}: {prepared} numbers do not depend on the image, more than in any '
            'network'
        )
    return known
