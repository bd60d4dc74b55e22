"""Whether an ONNX file can be a network at all, before a runtime is trusted with it.

ONNX has no sums. What is looked at, in sub-graphs, too: that weights are numbers, that
they are in the file and not somewhere else on the disk, that nothing is repeated
without end, and that no value on the way takes gigabytes. Of files that
``tools/export_onnx.py`` and ``tools/quantize_onnx.py`` write the operators are known;
those of others may have any.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Callable

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from litehrnet_mm.cli import UserError
from litehrnet_mm.files import read_regular
from litehrnet_mm.runtime.model import said_by_runtime
from litehrnet_mm.values import shown

MOST_NUMBERS = 2**28
"""Of a value within a network: a gigabyte in fp32, twice what streets of 2048×1024
pixels need."""
MOST_BYTES = 3 * 2**29
"""Of all values together, while a network is tried."""
OVER = 'Available memory of'
"""How ONNX Runtime says that it was more."""
MOST_TURNS = 10_000
"""Of all loops within each other; suppressing overlapping boxes needs none."""
DYNAMIC = 640
"""Rows and columns that stand for those which a file leaves open, and the turns that
stand for those of a ``Scan``, which goes through its input once."""
WRITTEN = frozenset(
    {
        *('Add', 'And', 'ArgMax', 'AveragePool', 'BatchNormalization', 'Cast', 'Clip'),
        *('Concat', 'Constant', 'ConstantOfShape', 'Conv', 'ConvTranspose', 'Div'),
        *('Flatten', 'Gather', 'GatherElements', 'Gemm', 'GlobalAveragePool'),
        *('Greater', 'GreaterOrEqual', 'HardSigmoid', 'HardSwish', 'Identity', 'Less'),
        *('LessOrEqual', 'MatMul', 'MaxPool', 'Mod', 'Mul', 'Not', 'Pad', 'Range'),
        *('ReduceMax', 'ReduceSum', 'Relu', 'Reshape', 'Resize', 'Shape', 'Sigmoid'),
        *('Sign', 'Slice', 'Split', 'Squeeze', 'Sub', 'Transpose', 'Unsqueeze'),
        'Where',
        *('QuantizeLinear', 'DequantizeLinear'),
    }
)
"""Operators of the files that this project writes."""


def check_onnx(path: Path, operators: Collection[str] | None = WRITTEN) -> None:
    """Look through a file, and let it compute once.

    Args:
        path: The file.
        operators: Those that it may have; any if ``None``.

    Raises:
        UserError: If it cannot be read, is no ONNX file, or no network that should be
            run.
    """
    try:
        model = onnx.load_from_string(read_regular(path))
        _check_graph(model.graph, path, operators)
        if model.functions:
            raise UserError(
                f'{path} has functions of its own, which no exporter writes'
            )
        _check_sizes(model, path)
        _try(model, path)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    except Exception as error:  # of many kinds: protobuf's, ONNX's, NumPy's
        raise UserError(f'{path} cannot be opened: {said_by_runtime(error)}') from error


def _check_graph(
    graph: onnx.GraphProto,
    path: Path,
    operators: Collection[str] | None,
    turns: int = 1,
) -> None:
    """Look at a graph that is computed so many times, and at those within it."""
    for weight in _weights(graph):  # detectors of others mask scores with -inf
        _check_weight(weight, path, _is_known if operators is None else np.isfinite)
    for node in graph.node:
        if operators is not None and (node.domain or node.op_type not in operators):
            raise UserError(
                f'{path} has the operator {shown(node.op_type)}, which '
                'tools/export_onnx.py never writes: it is of another program or damaged'
            )
        repeated = turns * _turns(node, graph)
        if repeated > MOST_TURNS:
            raise UserError(f'{path} has a loop that need not end, or not soon')
        for attribute in node.attribute:
            for constant in _constants(attribute):  # of which some are inf
                _check_weight(constant, path, _is_known)
            for part in (attribute.g, *attribute.graphs):
                _check_graph(part, path, operators, repeated)


def _weights(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _constants(attribute: onnx.AttributeProto) -> Iterator[onnx.TensorProto]:
    yield from (attribute.t, *attribute.tensors)
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)


def _is_known(numbers: np.ndarray) -> np.ndarray:
    return ~np.isnan(numbers)


def _turns(node: onnx.NodeProto, graph: onnx.GraphProto) -> float:
    """How often a node computes its graphs at most, infinite if no file says it."""
    if node.op_type != 'Loop':
        return DYNAMIC if node.op_type == 'Scan' else 1
    count = node.input[0] if node.input else ''
    for weight in graph.initializer:
        if weight.name == count:
            return max(int(numpy_helper.to_array(weight).item()), 1)
    for node in graph.node:
        if node.op_type == 'Constant' and count in node.output:
            (constant,) = (x.t for x in node.attribute if x.name == 'value')
            return max(int(numpy_helper.to_array(constant).item()), 1)
    return math.inf


def _check_weight(
    weight: onnx.TensorProto, path: Path, is_sound: Callable[[np.ndarray], np.ndarray]
) -> None:
    if not weight.data_type:  # where there is none
        return
    name = shown(weight.name)
    if weight.data_location == onnx.TensorProto.EXTERNAL or weight.external_data:
        raise UserError(
            f'{path}: the weights {name} are in another file: write all into one'
        )
    numbers = numpy_helper.to_array(weight)
    if numbers.dtype.kind == 'f' and not is_sound(numbers).all():
        raise UserError(f'{path}: the weights {name} hold inf or nan')


def _check_sizes(model: onnx.ModelProto, path: Path) -> None:
    for image in _images(model.graph):
        for place, side in enumerate(image.type.tensor_type.shape.dim):
            if not side.HasField('dim_value'):
                side.dim_value = DYNAMIC if place else 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        sides = _sides(value)
        if math.prod(max(side, 1) for side in sides) > MOST_NUMBERS:
            raise UserError(
                f'{path}: the value {shown(value.name)} has the shape '
                f'{shown(str(sides))}, larger than any in a network'
            )


def _images(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs but weights, which older files list among them."""
    weights = {weight.name for weight in graph.initializer}
    weights |= {sparse.values.name for sparse in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in weights]


def _sides(value: onnx.ValueInfoProto) -> list[int]:
    return [side.dim_value for side in value.type.tensor_type.shape.dim]


def _try(model: onnx.ModelProto, path: Path) -> None:
    """Let a network compute once: sizes can depend on what is computed."""
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry('session.use_env_allocators', '1')
    given = {
        image.name: np.zeros(
            _sides(image),
            onnx.helper.tensor_dtype_to_np_dtype(image.type.tensor_type.elem_type),
        )
        for image in _images(model.graph)
    }
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=['CPUExecutionProvider']
        )
        session.run(None, given)
    except Exception as error:  # of many kinds, all the runtime's
        if OVER not in str(error):
            raise UserError(
                f'{path} cannot be opened, or computes nothing: '
                f'{said_by_runtime(error)}'
            ) from error
    else:
        return
    raise UserError(f'{path} takes more than {MOST_BYTES / 2**30:g} GB to compute')


@cache
def _limit_memory() -> None:
    """Set a limit for all sessions that use the allocator of the process."""
    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo(
            'Cpu',
            onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
            0,
            onnxruntime.OrtMemType.DEFAULT,
        ),
        onnxruntime.OrtArenaCfg({'max_mem': MOST_BYTES, 'arena_extend_strategy': 1}),
    )
