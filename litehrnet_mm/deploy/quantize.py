"""Static quantisation of an exported file, by ONNX Runtime's quantiser.

Rounding all convolutions to 8 bits ruins these networks: some tensors have channels of
very different ranges, and one scale for all leaves the small ones nothing. So each
convolution is first observed on the calibration images, and those that suffer stay as
they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.deploy.sensitivity import Convolution, measure_convolutions
from litehrnet_mm.writing import written_whole


@dataclass(frozen=True)
class Quantized:
    """What became of the convolutions.

    Attributes:
        rounded: Those in 8 bits.
        kept: Those that stayed in fp32, the worst first.
    """

    rounded: list[Convolution]
    kept: list[Convolution]


class _Inputs(CalibrationDataReader):
    def __init__(self, name: str, inputs: Sequence[np.ndarray]) -> None:
        self.left = iter([{name: x} for x in inputs])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, as ONNX Runtime asks for them."""
        return next(self.left, None)


def quantize(
    source: Path, out: Path, inputs: Sequence[np.ndarray], tolerance: float
) -> Quantized:
    """Write a file with its convolutions in 8 bits, as far as they bear it.

    Args:
        source: A file that ``tools/export_onnx.py`` wrote, in fp32.
        out: The file to write; it keeps what ``source`` tells of itself.
        inputs: What the network takes, some dozens from where it will be used.
        tolerance: The greatest error of a convolution in 8 bits, see
            :attr:`~litehrnet_mm.deploy.sensitivity.Convolution.error`.

    Raises:
        UserError: If the file cannot be quantised, or no convolution bears it.
    """
    told = {p.key: p.value for p in onnx.load(str(source)).metadata_props}
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        prepared, rough = (Path(folder) / f'{x}.onnx' for x in ('prepared', 'rough'))
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            graph = onnx.load(str(prepared))
            _check(graph, source)
            found = measure_convolutions(graph, inputs)
            found.sort(key=lambda convolution: -convolution.error)
            rounded = [c for c in found if c.error <= tolerance]
            if not rounded:
                raise UserError(
                    f'no convolution of {source} bears 8 bits within {tolerance:g}: '
                    f'the best has {found[-1].error:.2g}; raise --tolerance'
                )
            quantize_static(
                str(prepared),
                str(rough),
                _Inputs(graph.graph.input[0].name, inputs),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_quantize=[c.name for c in rounded],
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f'{source} cannot be quantised: {one_line(error)}'
            ) from error
        written = onnx.load(str(rough))
    onnx.helper.set_model_props(written, told)
    with written_whole(out) as part:
        onnx.save(written, str(part))
    return Quantized(rounded, [c for c in found if c.error > tolerance])


def _check(model: onnx.ModelProto, source: Path) -> None:
    kinds = {node.op_type for node in model.graph.node}
    if kinds & {'QuantizeLinear', 'QLinearConv'}:
        raise UserError(f'{source} is quantised already')
    weights = {w.name: w.data_type for w in model.graph.initializer}
    used = {
        weights.get(node.input[1])
        for node in model.graph.node
        if node.op_type == 'Conv'
    }
    if used != {onnx.TensorProto.FLOAT}:
        raise UserError(f'{source} has no convolutions in fp32: export it as fp32')
