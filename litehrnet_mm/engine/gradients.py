"""Gradients that wait for more of them, in checkpoints."""

from __future__ import annotations

from typing import Any

from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from litehrnet_mm.engine.building import bare_model
from litehrnet_mm.engine.messages import say

KEY = 'gradients'
"""Of a checkpoint: what had been accumulated for the next step, by parameter."""


def waiting_gradients(runner: Runner) -> dict[str, Tensor]:
    """Gradients that wait for the next step, by parameter; all processes have to ask.

    Each has its own, of which the step takes the mean: that is what is returned.
    """
    found: dict[str, Tensor] = {}
    if _wait(runner.optim_wrapper):
        for name, parameter in bare_model(runner).named_parameters():
            if parameter.grad is not None:
                found[name] = parameter.grad.clone()
                all_reduce(found[name], 'mean')
    return {name: gradient.cpu() for name, gradient in found.items()}


def restore_gradients(runner: Runner, checkpoint: dict[str, Any]) -> None:
    """Have training go on with the gradients of a checkpoint, if it has some."""
    kept = checkpoint.get(KEY, {})
    for name, parameter in bare_model(runner).named_parameters():
        if name in kept:
            parameter.grad = kept[name].to(parameter)
    if kept:
        say('the gradients that waited for more were saved, too: none are lost')


def _wait(wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    several = isinstance(wrapper, OptimWrapperDict)
    wrappers = wrapper.values() if several else [wrapper]
    return not all(one.should_update() for one in wrappers)
