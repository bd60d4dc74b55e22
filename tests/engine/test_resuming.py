"""What a resumed run draws again."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from litehrnet_mm.engine.resuming import ReseedHook


def draw(seed: int, iteration: int) -> tuple[float, float, float]:
    """What is drawn for images, by either library, and in the network."""
    runner = SimpleNamespace(iter=iteration)
    hook = ReseedHook(seed)
    hook.before_train_epoch(runner)
    hook.before_train_iter(runner, 0)
    return random.random(), np.random.rand(), torch.rand(1).item()


@pytest.mark.parametrize('iteration', [0, 9])
def test_what_is_drawn_depends_on_the_seed(iteration):
    first, again, other = (draw(seed, iteration) for seed in (7, 7, 8))
    assert first == again
    assert all(x != y for x, y in zip(first, other))
