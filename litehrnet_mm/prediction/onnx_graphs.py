"""What an ONNX graph is made of: weights of numbers, operators, loops that end."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Callable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from litehrnet_mm.cli import UserError
from litehrnet_mm.values import shown

MOST_TURNS = 10_000
"""Of all loops within each other; suppressing overlapping boxes needs none."""
MOST_NODES = 50_000
"""Operators in all graphs: our largest file has 5,000, and opening takes a second for
each ten thousand."""
Sides = Mapping[str, 'list[int] | None']
"""The sides of values by name, -1 for those that are not known."""


def check_count(graph: onnx.GraphProto, path: Path) -> None:
    """Count the operators of a graph, with those within it.

    Raises:
        UserError: If there are more than :data:`MOST_NODES`.
    """
    count, graphs = 0, [graph]
    while graphs:
        nodes = graphs.pop().node
        count += len(nodes)
        if count > MOST_NODES:
            raise UserError(
                f'{path} has more than {MOST_NODES:,} operators: no network does'
            )
        graphs.extend(part for node in nodes for part in graphs_of(node))


def check_graph(
    graph: onnx.GraphProto, path: Path, operators: Collection[str] | None
) -> None:
    """Look at the weights and operators of a graph, and of those within it.

    Args:
        graph: It.
        path: Its file, for messages.
        operators: Those that it may have; any if ``None``.

    Raises:
        UserError: If weights are no numbers or in other files, or there are other
            operators.
    """
    if graph.sparse_initializer:
        raise UserError(_sparse(path))
    for weight in graph.initializer:  # detectors of others mask scores with -inf
        _check_weight(weight, path, _is_known if operators is None else np.isfinite)
    for node in graph.node:
        if operators is not None and (node.domain or node.op_type not in operators):
            raise UserError(
                f'{path} has the operator {shown(node.op_type)}, which no network of '
                'this project has: it is damaged, of another program, or of a config '
                'with other layers, which then is to be given with its checkpoint'
            )
        if node.op_type == 'Unique':  # of numbers in memory that no limit counts
            raise UserError(f'{path} has the operator Unique, which no detector needs')
        if _makes_texts(node):
            raise UserError(f'{path} computes with texts, which no network does')
        for attribute in node.attribute:
            if attribute.HasField('sparse_tensor') or attribute.sparse_tensors:
                raise UserError(_sparse(path))
            for constant in (attribute.t, *attribute.tensors):  # of which some are inf
                _check_weight(constant, path, _is_known)
        for part in graphs_of(node):
            check_graph(part, path, operators)


def graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs within an operator: branches, or what a loop repeats."""
    for attribute in node.attribute:
        if attribute.HasField('g'):
            yield attribute.g
        yield from attribute.graphs


def _sparse(path: Path) -> str:
    """What is said of few numbers that the runtime makes any many of."""
    return f'{path} has sparse weights, which are not read: write all of them out'


def _makes_texts(node: onnx.NodeProto) -> bool:
    """Texts take memory that no limit of the runtime counts."""
    kinds = [x.i for x in node.attribute if node.op_type == 'Cast' and x.name == 'to']
    given = [x.name for x in node.attribute if node.op_type == 'Constant']
    return TensorProto.STRING in kinds or any('string' in name for name in given)


def _is_known(numbers: np.ndarray) -> np.ndarray:
    return ~np.isnan(numbers)


def _check_weight(
    weight: TensorProto, path: Path, is_sound: Callable[[np.ndarray], np.ndarray]
) -> None:
    if not weight.data_type:  # where there is none
        return
    name = shown(weight.name)
    if weight.data_location == TensorProto.EXTERNAL or weight.external_data:
        raise UserError(
            f'{path}: the weights {name} are in another file: write all into one'
        )
    if weight.data_type == TensorProto.STRING:
        raise UserError(f'{path}: the weights {name} are texts')
    numbers = numpy_helper.to_array(weight)
    if numbers.dtype.kind == 'f' and not is_sound(numbers).all():
        raise UserError(f'{path}: the weights {name} hold inf or nan')


def check_loops(
    graph: onnx.GraphProto,
    path: Path,
    turns: float = 1,
    counts: Mapping[str, float] | None = None,
    sides: Sides | None = None,
) -> None:
    """Look how often parts of a graph are repeated.

    Args:
        graph: It, with the shapes of its values.
        path: Its file, for messages.
        turns: How often it is computed itself.
        counts: Constants of the graphs around it.
        sides: Of values of the graphs around it.

    Raises:
        UserError: If the file does not tell that each loop ends soon.
    """
    counts = {**(counts or {}), **_counts(graph)}
    sides = {**(sides or {}), **sides_of(graph)}
    for node in graph.node:
        for part in graphs_of(node):
            repeated = turns * max(_turns(node, counts, sides), 1)
            if repeated > MOST_TURNS:
                raise UserError(
                    f'{path} has a loop that need not end, or not soon '
                    f'({shown(node.op_type)})'
                )
            check_loops(part, path, repeated, counts, sides)


def _turns(node: onnx.NodeProto, counts: Mapping[str, float], sides: Sides) -> float:
    """How often a node computes its graphs at most, infinite if no file says it."""
    if node.op_type == 'If':
        return 1
    if node.op_type == 'Loop':
        return counts.get(node.input[0], math.inf) if node.input else math.inf
    if node.op_type != 'Scan':
        return math.inf
    number = sum(x.i for x in node.attribute if x.name == 'num_scan_inputs')
    scanned = [sides.get(name) for name in node.input[-number:]] if number else []
    # Along which side it goes depends on the version, but it is one of them.
    if not scanned or not all(map(are_known, scanned)):
        return math.inf
    return max(max(sides, default=1) for sides in scanned)


def _counts(graph: onnx.GraphProto) -> dict[str, float]:
    """Whole numbers that the graph holds; infinite what it computes by these names."""
    found: dict[str, float] = dict.fromkeys((x.name for x in graph.input), math.inf)
    for node in graph.node:
        constant = node.op_type == 'Constant' and not node.domain
        values = [_value(x) for x in node.attribute] if constant else []
        number = values[0] if len(values) == 1 else math.inf
        found.update(dict.fromkeys(node.output, number))
    for weight in graph.initializer:
        found[weight.name] = _number(weight)
    return found


def _value(attribute: onnx.AttributeProto) -> float:
    """The whole number that a constant is, in any form that it may have."""
    if attribute.name == 'value':
        return _number(attribute.t)
    if attribute.name == 'value_int':
        return attribute.i
    numbers = attribute.ints if attribute.name == 'value_ints' else ()
    return numbers[0] if len(numbers) == 1 else math.inf


def _number(tensor: TensorProto) -> float:
    if tensor.data_type != TensorProto.INT64 or math.prod(tensor.dims) != 1:
        return math.inf
    return int(numpy_helper.to_array(tensor).item())


def sides_of(graph: onnx.GraphProto) -> dict[str, list[int] | None]:
    """The sides of a graph's values and weights; ``None`` of what is no array."""
    found = {weight.name: list(weight.dims) for weight in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        known = value.type.HasField('tensor_type') and tensor.HasField('shape')
        sides = [
            x.dim_value if x.HasField('dim_value') else -1 for x in tensor.shape.dim
        ]
        found.setdefault(value.name, sides if known else None)
    return found


def are_known(sides: list[int] | None) -> bool:
    """Whether all sides of a value are."""
    return sides is not None and min(sides, default=0) >= 0
