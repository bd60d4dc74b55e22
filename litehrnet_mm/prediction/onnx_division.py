"""Whole numbers of an ONNX graph are divided by nothing that ends the program.

The least of them by -1 is more than any of them, at which a processor stops a program:
ONNX Runtime asks for zeros only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.onnx_graphs import graphs_of
from litehrnet_mm.values import shown

WHOLE = (TensorProto.INT32, TensorProto.INT64)
TAKING = frozenset(
    {'Flatten', 'Gather', 'Identity', 'Reshape', 'Slice', 'Squeeze', 'Unsqueeze'}
)
"""Operators that take numbers from the first of their inputs, as they are."""


def check_division(
    graph: onnx.GraphProto,
    path: Path,
    ours: bool,
    kinds: Mapping[str, int] | None = None,
    sound: Mapping[str, bool] | None = None,
) -> None:
    """Make sure that whole numbers are divided by constants and sides of arrays only.

    Args:
        graph: It, with the types of its values, its operators in order.
        path: Its file, for messages.
        ours: Types of all values are known, what is of none is a whole number; and
            nothing is divided by products of sides, as detectors do.
        kinds: Types of the values of graphs around it.
        sound: By which of those may be divided, and whether they are sides.

    Raises:
        UserError: If they are divided by anything else, 0 or -1.
    """
    weights = {x.name: _divides(x) for x in graph.initializer}
    if kinds is not None:  # what is given to a part of a graph is no weight in it
        weights |= dict.fromkeys((x.name for x in graph.input), False)
    sound = {name: side for name, side in (sound or {}).items() if name not in weights}
    sound |= {name: False for name, divides in weights.items() if divides}
    kinds = {**(kinds or {}), **_kinds(graph)}
    for node in graph.node:
        divides = node.op_type == 'Div' and len(node.input) == 2
        if divides and _is_whole(node, kinds, ours) and node.input[1] not in sound:
            raise UserError(
                f'{path}: the operator Div of {shown(node.output[0])} divides whole '
                'numbers by such as may be 0 or -1, which could end the program: '
                'divide by a constant, or in floating point'
            )
        for part in graphs_of(node):
            check_division(part, path, ours, kinds, sound)
        side = _is_side(node, kinds, sound, ours)
        for name in node.output:
            sound.pop(name, None)
            if side is not None:
                sound[name] = side


def _kinds(graph: onnx.GraphProto) -> dict[str, int]:
    found = {weight.name: weight.data_type for weight in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        found.setdefault(value.name, value.type.tensor_type.elem_type)
    return found


def _is_whole(node: onnx.NodeProto, kinds: Mapping[str, int], ours: bool) -> bool:
    known = [kinds[x] for x in (*node.input, *node.output) if kinds.get(x)]
    return known[0] in WHOLE if known else ours


def _is_side(
    node: onnx.NodeProto,
    kinds: Mapping[str, int],
    sound: Mapping[str, bool],
    ours: bool,
) -> bool | None:
    """Whether a node gives sides of arrays, or constants; ``None`` if neither."""
    if node.domain:
        return None
    if node.op_type in ('Shape', 'Size'):
        return True
    if node.op_type == 'Constant':
        return False if any(map(_gives_divisor, node.attribute)) else None
    if node.op_type == 'Mul' and not ours:
        return all(sound.get(name) for name in node.input) or None
    whole = bool(node.input) and kinds.get(node.input[0]) in WHOLE
    to = [x.i for x in node.attribute if x.name == 'to']
    widened = node.op_type == 'Cast' and to == [TensorProto.INT64] and whole
    return sound.get(node.input[0]) if widened or node.op_type in TAKING else None


def _gives_divisor(attribute: onnx.AttributeProto) -> bool:
    if attribute.name == 'value':
        return _divides(attribute.t)
    numbers = [attribute.i] if attribute.name == 'value_int' else attribute.ints
    return bool(numbers) and not {0, -1} & {*numbers}


def _divides(tensor: TensorProto) -> bool:
    """Whether a constant has whole numbers, all told, of which none is 0 or -1."""
    told = tensor.raw_data or tensor.int32_data or tensor.int64_data
    if tensor.data_type not in WHOLE or not told:
        return False
    return not np.isin(numpy_helper.to_array(tensor), (0, -1)).any()
