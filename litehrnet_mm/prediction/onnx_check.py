"""Whether an ONNX file can be a network at all, before a runtime is trusted with it.

ONNX has no sums. What is looked at, in sub-graphs, too: that weights are numbers, that
they are in the file and not somewhere else on the disk, that nothing is repeated
without end, and that computing takes neither gigabytes nor minutes. Of files that
``tools/export_onnx.py`` and ``tools/quantize_onnx.py`` write the operators are known,
and all sizes follow from that of the image; those of others may have any operator.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from pathlib import Path

import onnx

from litehrnet_mm.cli import UserError
from litehrnet_mm.files import read_regular
from litehrnet_mm.prediction.onnx_division import check_division
from litehrnet_mm.prediction.onnx_graphs import check_count, check_graph, check_loops
from litehrnet_mm.prediction.onnx_shapes import (
    check_shapes,
    check_told,
    images,
    with_shapes,
)
from litehrnet_mm.prediction.onnx_trial import check_computes
from litehrnet_mm.runtime.model import said_by_runtime

MOST_BYTES = 400 << 20
"""Of a file: those of the largest RTMDet have 380 MB, and opening takes four times as
much memory."""
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
    """Look through a file, and let it compute.

    Args:
        path: The file.
        operators: Those that it may have; any if ``None``.

    Raises:
        UserError: If it cannot be read, is no ONNX file, or no network that should be
            run.
    """
    try:
        data = read_regular(path, MOST_BYTES)
        model = onnx.load_from_string(data)
        if model.functions:
            raise UserError(
                f'{path} has functions of its own, which are not read: write their '
                'operators into the graph (onnx.inliner)'
            )
        check_count(model.graph, path)
        check_graph(model.graph, path, operators)
        graph, free = with_shapes(model)
        check_loops(graph, path)
        check_shapes(graph, path)
        check_division(graph, path, operators is not None)
        known = operators is not None and check_told(graph, free, path)
        # A detector may take most of what shows nothing, or very much.
        levels = (256, 1) if operators is None else (256,)
        check_computes(data, images(graph), path, levels, not known)
    except UserError:
        raise
    except OSError as error:
        way_out = ': give its config and checkpoint instead'
        more = way_out if error.errno == errno.EFBIG else ''
        raise UserError(f'{path} cannot be read: {error.strerror}{more}') from error
    except Exception as error:  # of many kinds: protobuf's, ONNX's, NumPy's
        raise UserError(f'{path} cannot be opened: {said_by_runtime(error)}') from error
