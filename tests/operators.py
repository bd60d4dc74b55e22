"""What a network asks of PyTorch's dispatcher."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode


class OperatorCount(TorchDispatchMode):
    """Count operators that compute. Views of memory launch nothing on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Count and call one operator."""
        self.total += not func.is_view
        return func(*args, **(kwargs or {}))


def count_operators(net: nn.Module, images: torch.Tensor) -> int:
    """Operators that one forward pass dispatches."""
    with torch.no_grad(), OperatorCount() as count:
        net(images)
    return count.total
