"""What the processes of a distributed run decide together."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size


def any_process(flag: bool) -> bool:
    """Whether a flag is set in any process of a run; all of them have to ask."""
    return bool(greatest(int(flag)))


def greatest(number: int) -> int:
    """The greatest of a number that each process of a run has; all have to ask."""
    return _reduced(number, 'max')


def fewest(number: int) -> int:
    """The least of a number that each process of a run has; all have to ask."""
    return _reduced(number, 'min')


def _reduced(number: int, how: str) -> int:
    if get_world_size() == 1:
        return number
    device = 'cuda' if torch.distributed.get_backend() == 'nccl' else 'cpu'
    shared = torch.tensor(number, device=device)
    all_reduce(shared, how)
    return int(shared)
