"""What interrupts a run in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from mmengine.config import Config

from litehrnet_mm.engine.launch import train


def at(iteration: int) -> Callable[..., None]:
    """Send SIGTERM to this process in an iteration, counted from 1."""

    def send(runner, **given):
        if runner.iter + 1 == iteration:
            os.kill(os.getpid(), signal.SIGTERM)

    return send


def raising(error: BaseException, iteration: int) -> Callable[..., None]:
    """Have a run end in an iteration, counted from 1."""

    def end(runner, **given):
        if runner.iter + 1 == iteration:
            raise error

    return end


def train_interrupted(cfg: Config) -> None:
    """Train until it ends with status 0."""
    with pytest.raises(SystemExit) as ended:
        train(cfg)
    assert ended.value.code == 0
