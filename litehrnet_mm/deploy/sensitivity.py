"""What 8 bits would do to each convolution of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import Tensor

from litehrnet_mm.cli import progress_bar
from litehrnet_mm.runtime.model import open_session

LEVELS = 255


@dataclass
class Convolution:
    """A convolution of a graph, with the ReLU after it if there is one.

    Attributes:
        name: Of its node.
        source: The tensor that it reads.
        target: The tensor that it gives, after the ReLU.
        rectified: Whether there is one.
        weight: ``(C_out, C_in / groups, k, k)``.
        bias: ``(C_out,)``, or nothing.
        options: Of PyTorch's ``conv2d``.
    """

    name: str
    source: str
    target: str
    rectified: bool
    weight: Tensor
    bias: Tensor | None
    options: dict
    # Sums over all pixels of all inputs, a channel each.
    _error: Tensor | float = field(default=0.0, repr=False)
    _first: Tensor | float = field(default=0.0, repr=False)
    _second: Tensor | float = field(default=0.0, repr=False)
    _count: int = field(default=0, repr=False)

    def observe(
        self, x: np.ndarray, y: np.ndarray, ranges: dict[str, tuple[float, float]]
    ) -> None:
        """Compare its output ``y`` for ``x`` with that in 8 bits."""
        rounded = torch.from_numpy(_round(x, *ranges[self.source]))
        found = F.conv2d(rounded, _round_rows(self.weight), self.bias, **self.options)
        if self.rectified:
            found = found.relu()
        found = torch.from_numpy(_round(found.numpy(), *ranges[self.target])).double()
        expected = torch.from_numpy(y).double()
        dims = (0, 2, 3)
        self._error += (found - expected).square().sum(dims)
        self._first += expected.sum(dims)
        self._second += expected.square().sum(dims)
        self._count += expected[:, 0].numel()

    @property
    def error(self) -> float:
        """Root of the mean, over channels, of squared error by variance.

        Channels that never vary do not count.
        """
        variance = self._second / self._count - (self._first / self._count) ** 2
        varies = variance > 1e-9 * self._second / self._count
        if not varies.any():
            return 0.0
        share = self._error[varies] / self._count / variance[varies]
        return float(share.mean().sqrt())


def measure_convolutions(
    model: onnx.ModelProto, inputs: Sequence[np.ndarray]
) -> list[Convolution]:
    """Observe all convolutions of a graph on some inputs.

    Inputs, weights and outputs are rounded as in static quantisation: a scale for each
    tensor, for weights one for each channel.

    Args:
        model: The graph, with weights of fp32.
        inputs: As it takes them.
    """
    convolutions = _find(model)
    wanted = sorted({name for c in convolutions for name in (c.source, c.target)})
    (image,) = model.graph.input
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    there = {output.name for output in graph.graph.output}
    made = [name for name in wanted if name != image.name]
    for name in made:
        if name not in there:
            graph.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = open_session(graph.SerializeToString())

    def tensors(x: np.ndarray) -> dict[str, np.ndarray]:
        return {image.name: x, **dict(zip(made, session.run(made, {image.name: x})))}

    ranges = dict.fromkeys(wanted, (0.0, 0.0))
    for x in progress_bar(inputs, len(inputs), title='Ranges'):
        for name, y in tensors(x).items():
            if name in ranges:
                low, high = ranges[name]
                ranges[name] = min(low, float(y.min())), max(high, float(y.max()))
    for x in progress_bar(inputs, len(inputs), title='Errors'):
        found = tensors(x)
        for convolution in convolutions:
            source, target = found[convolution.source], found[convolution.target]
            convolution.observe(source, target, ranges)
    return convolutions


def _find(model: onnx.ModelProto) -> list[Convolution]:
    weights = {w.name: w for w in model.graph.initializer}
    after = {n.input[0]: n.output[0] for n in model.graph.node if n.op_type == 'Relu'}
    found = []
    for node in model.graph.node:
        if node.op_type != 'Conv' or node.input[1] not in weights:
            continue
        weight, *bias = (
            torch.from_numpy(numpy_helper.to_array(weights[name]).copy())
            for name in node.input[1:]
        )
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        options = dict(
            stride=given.get('strides', 1),
            padding=given.get('pads', [0, 0])[:2],
            dilation=given.get('dilations', 1),
            groups=given.get('group', 1),
        )
        (output,) = node.output
        found.append(
            Convolution(
                node.name,
                node.input[0],
                after.get(output, output),
                output in after,
                weight,
                bias[0] if bias else None,
                options,
            )
        )
    return found


def _round(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """The nearest of the numbers that 8 bits have in a range, which has 0."""
    step = (high - low) / LEVELS or 1.0
    zero = np.round(-low / step)
    levels = np.clip(np.round(x / step) + zero, 0, LEVELS)
    return ((levels - zero) * step).astype(np.float32)


def _round_rows(weight: Tensor) -> Tensor:
    """Weights in 8 bits with a sign, a scale for each output channel."""
    step = weight.abs().amax(dim=(1, 2, 3), keepdim=True) / (LEVELS // 2)
    return torch.round(weight / step.clamp(min=1e-30)) * step
