"""The one place that counts parameters, multiply-accumulates and activations.

The counting itself is MMEngine's (:mod:`mmengine.analysis`), which traces the network
once and reads the shapes that each operator worked on.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.analysis import parameter_count
from mmengine.analysis.jit_analysis import JitModelAnalysis
from mmengine.analysis.jit_handles import (
    addmm_flop_jit,
    bmm_flop_jit,
    conv_flop_jit,
    einsum_flop_jit,
    generic_activation_jit,
    linear_flop_jit,
    matmul_flop_jit,
)
from mmengine.model import BaseModel
from torch import Tensor, nn

PRODUCTS: dict[str, Callable] = {
    'aten::_convolution': conv_flop_jit,
    'aten::linear': linear_flop_jit,
    'aten::addmm': addmm_flop_jit,
    'aten::mm': matmul_flop_jit,
    'aten::matmul': matmul_flop_jit,
    'aten::bmm': bmm_flop_jit,
    'aten::einsum': einsum_flop_jit,
}
"""The operators that count, with MMEngine's rule for each."""

# Operators that hide matrix products for which MMEngine has no rule.
HIDDEN_PRODUCTS = re.compile(
    r'attention|transformer|baddbmm|addbmm|addmv|::mv$|lstm|gru|rnn|conv|Python'
)

MODEL = 'model'


@dataclass(frozen=True)
class Stage:
    """What one part of a network costs; see :class:`Complexity` for what is counted.

    Attributes:
        name: Name of the part within the network.
        parameters: Its parameters.
        macs: Multiply-accumulates as executed.
        macs_once: Multiply-accumulates with each layer counted once.
        activations: Elements that its convolutions and matrix products put out.
        output_shapes: Shape of each output without the batch dimension. Those of its
            members where the part is a list of modules.
    """

    name: str
    parameters: int
    macs: int
    macs_once: int
    activations: int
    output_shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Complexity:
    """What a network costs in evaluation mode, for one image.

    One multiply-accumulate (MAC) is one multiplication and one addition. Those of
    convolutions, linear layers and other matrix products count. BatchNorm (which
    folds into a convolution), biases, activation functions, sums, pooling and
    upsampling do not.

    Attributes:
        input_shape: Channels, height and width of the image.
        parameters: All learnable elements, also of heads that only training uses.
        macs: Multiply-accumulates as executed.
        macs_once: The same with each layer counted once: a layer that is called k
            times counts a k-th of what it executes.
        activations: Elements that the counted operators put out, as executed.
        stages: The parts, in the order in which they are defined, whose numbers add up
            to the totals. Of a backbone its children; of an estimator or segmentor the
            children of its backbone, then neck and heads.
        not_counted: Operators that were executed and hold matrix products that could
            not be counted. Where there are any, the numbers are too low.
    """

    input_shape: tuple[int, int, int]
    parameters: int
    macs: int
    macs_once: int
    activations: int
    stages: tuple[Stage, ...]
    not_counted: tuple[str, ...]


def measure(model: nn.Module, input_shape: tuple[int, int, int]) -> Complexity:
    """Count parameters, multiply-accumulates and activations.

    Args:
        model: Any network that maps a batch of images to tensors, or an estimator or
            segmentor of OpenMMLab, which runs in its mode ``'tensor'``. A copy of it is
            measured, in evaluation mode; the model itself stays as it is.
        input_shape: Channels, height and width of the image.
    """
    traced = _Traced(copy.deepcopy(model))
    for module in traced.modules():
        module.training = False  # not .eval(), which a model may have overridden
    like = next(model.parameters(), torch.zeros(()))
    image = torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype)
    calls, outputs = _watch(traced, set(_stage_names(traced)))
    analysis = JitModelAnalysis(traced, (image,)).set_op_handle(
        **{name: _with_activations(rule) for name, rule in PRODUCTS.items()}
    )
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():
        executed = analysis.by_module_and_operator()
    counts = _Counts(
        parameters=parameter_count(traced),
        executed=executed,
        once=_each_layer_once(executed, calls),
        outputs=outputs,
    )
    total = counts.of(MODEL)
    stages = [counts.of(name) for name in _stage_names(traced)]
    hidden = filter(HIDDEN_PRODUCTS.search, analysis.unsupported_ops())
    return Complexity(
        input_shape=tuple(input_shape),
        parameters=total.parameters,
        macs=total.macs,
        macs_once=total.macs_once,
        activations=total.activations,
        stages=_with_rest(total, [x for x in stages if x.parameters or x.macs]),
        not_counted=tuple(sorted(hidden)),
    )


class _Traced(nn.Module):
    """A network as a map from images to a tuple of tensors, which tracing asks for."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        if isinstance(self.model, BaseModel):
            return tuple(_tensors(self.model(images, None, mode='tensor')))
        return tuple(_tensors(self.model(images)))


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        yield from _tensors(tuple(output.values()))
    elif isinstance(output, (list, tuple)):
        for item in output:
            yield from _tensors(item)


def _stage_names(traced: _Traced) -> Iterator[str]:
    for name, child in traced.model.named_children():
        if name == 'backbone' and isinstance(traced.model, BaseModel):
            yield from (f'{MODEL}.{name}.{part}' for part, _ in child.named_children())
        else:
            yield f'{MODEL}.{name}'


def _watch(
    traced: _Traced, stages: set[str]
) -> tuple[Counter, dict[str, dict[str, tuple[Tensor, ...]]]]:
    """Collect how often each module runs, and what comes out of each stage.

    ``forward`` itself is wrapped: a hook would miss the heads, which the estimators of
    MMPose and MMSegmentation run by ``head.forward(features)``. The outputs are kept as
    they are: to ask for their shapes while tracing would be traced, too.

    Returns:
        The number of calls of each module. For each stage what it put out, or, as a
        list of modules does not run itself, what each of its members did.
    """
    calls: Counter = Counter()
    outputs: dict[str, dict[str, tuple[Tensor, ...]]] = {name: {} for name in stages}

    def watched(name: str, forward: Callable) -> Callable:
        def run(*args, **kwargs) -> Any:
            output = forward(*args, **kwargs)
            calls[name] += 1
            if name in outputs:
                outputs[name] = {name: tuple(_tensors(output))}
            elif _parent(name) in outputs:
                outputs[_parent(name)][name] = tuple(_tensors(output))
            return output

        return run

    for name, module in traced.named_modules():
        module.forward = watched(name, module.forward)
    return calls, outputs


def _with_activations(rule: Callable) -> Callable:
    """MMEngine's rule for an operator, giving the size of its output as well."""
    size = generic_activation_jit()

    def count(inputs: list, outputs: list) -> Counter:
        macs = rule(inputs, outputs)
        macs = sum(macs.values()) if isinstance(macs, Counter) else macs
        return Counter(macs=int(macs), activations=int(size(inputs, outputs)))

    return count


def _each_layer_once(executed: dict[str, Counter], calls: Counter) -> dict[str, int]:
    """MACs of each module and all within it, those of k calls divided by k."""
    own = {name: counts['macs'] for name, counts in executed.items()}
    for name, counts in executed.items():
        if name:
            own[_parent(name)] -= counts['macs']
    once: Counter = Counter()
    for name, macs in own.items():
        if macs:
            for ancestor in _ancestors(name):
                once[ancestor] += round(macs / calls[name])
    return once


def _parent(name: str) -> str:
    return name.rpartition('.')[0]


def _ancestors(name: str) -> Iterator[str]:
    yield name
    while name:
        name = _parent(name)
        yield name


@dataclass(frozen=True)
class _Counts:
    """All counts by the name of a module, each with those of all modules within it."""

    parameters: dict[str, int]
    executed: dict[str, Counter]
    once: dict[str, int]
    outputs: dict[str, dict[str, tuple[Tensor, ...]]]

    def of(self, name: str) -> Stage:
        outputs = self.outputs.get(name, {}).values()
        return Stage(
            name=name.partition('.')[2],
            parameters=self.parameters[name],
            macs=self.executed[name]['macs'],
            macs_once=self.once[name],
            activations=self.executed[name]['activations'],
            output_shapes=tuple(tuple(x.shape[1:]) for xs in outputs for x in xs),
        )


def _with_rest(total: Stage, stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Add what belongs to the network itself and to none of its parts, if anything."""
    counted = ('parameters', 'macs', 'macs_once', 'activations')
    rest = {
        key: getattr(total, key) - sum(getattr(stage, key) for stage in stages)
        for key in counted
    }
    if any(rest.values()):
        return (*stages, Stage(name='(itself)', output_shapes=(), **rest))
    return tuple(stages)
