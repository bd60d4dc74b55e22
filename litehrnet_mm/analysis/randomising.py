"""Networks as if trained, for tests and timings."""

from __future__ import annotations

import torch
from torch import nn


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter and BatchNorm statistic a random value, in place.

    Fresh statistics (mean 0, variance 1) and zero biases would hide most mistakes.
    The spread keeps activations of the published nets within a few orders of 1.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(0, fan_in**-0.5, generator=generator)
            else:
                parameter.uniform_(0.5, 1.5, generator=generator)
        for name, buffer in model.named_buffers():
            if name.endswith('running_mean'):
                buffer.normal_(0, 0.5, generator=generator)
            elif name.endswith('running_var'):
                buffer.uniform_(0.5, 2, generator=generator)
    return model
