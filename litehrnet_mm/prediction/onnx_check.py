"""Whether an ONNX file can be a network at all, before a runtime is trusted with it.

ONNX has no sums. What is looked at: that weights are finite, that they are in the file
and not somewhere else on the disk, and that no value on the way takes gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from litehrnet_mm.cli import UserError
from litehrnet_mm.runtime.model import said_by_runtime
from litehrnet_mm.values import shown

MOST_NUMBERS = 2**28
"""Of a value within a network: a gigabyte in fp32, twice what streets of 2048×1024
pixels need."""
DYNAMIC = 640
"""Rows and columns that stand for those which a file leaves open."""


def check_onnx(path: Path) -> None:
    """Look through a file.

    Raises:
        UserError: If it is no ONNX file, or no network that should be run.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        _check_weights(model.graph.initializer, path)
        _check_sizes(model, path)
    except UserError:
        raise
    except Exception as error:  # of many kinds: protobuf's, ONNX's, NumPy's
        raise UserError(f'{path} cannot be opened: {said_by_runtime(error)}') from error


def _check_weights(weights: Sequence[onnx.TensorProto], path: Path) -> None:
    for weight in weights:
        name = shown(weight.name)
        if weight.data_location == onnx.TensorProto.EXTERNAL:
            raise UserError(
                f'{path}: the weights {name} are in another file: write all into one'
            )
        numbers = numpy_helper.to_array(weight)
        if numbers.dtype.kind == 'f' and not np.isfinite(numbers).all():
            raise UserError(f'{path}: the weights {name} hold inf or nan')


def _check_sizes(model: onnx.ModelProto, path: Path) -> None:
    for image in model.graph.input:
        for place, side in enumerate(image.type.tensor_type.shape.dim):
            if not side.HasField('dim_value'):
                side.dim_value = DYNAMIC if place else 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        sides = [side.dim_value for side in value.type.tensor_type.shape.dim]
        if math.prod(max(side, 1) for side in sides) > MOST_NUMBERS:
            raise UserError(
                f'{path}: the value {shown(value.name)} has the shape '
                f'{shown(str(sides))}, larger than any in a network'
            )
