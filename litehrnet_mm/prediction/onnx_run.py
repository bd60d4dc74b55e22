"""An ONNX file computes within limits: sizes can depend on what is computed.

Started in a process of its own by :mod:`litehrnet_mm.prediction.onnx_trial`, so of
this package it has only what a runtime needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from threading import Timer

import numpy as np
import onnxruntime

from litehrnet_mm.runtime.model import FOLDED

MOST_BYTES = 3 * 2**29
"""Of all values together that are in the runtime's arena."""
MOST_SECONDS = 60.0
"""To compute once; Lite-HRNet-30 takes 10 for a street of 2048×1024 pixels on one busy
core. A process of its own has as long for all that it does."""
MOST_FOLDED = 4096
"""Bytes of a value that is computed when a file is opened: sizes and factors, but
nothing large, which is outside of the limit."""
MOST_MEMORY = 2**32
"""Bytes of all that a process of its own has, in or out of the arena: the largest file,
opened, and the arena take less."""
STACK = 2**24
"""Bytes more for each core, which has a thread."""
Image = tuple[str, str, list[int]]
"""Of an input the name, the type as NumPy calls it, and the sides."""


def open_limited(model: str | os.PathLike | bytes) -> onnxruntime.InferenceSession:
    """Open a file, or its content, for computing within :data:`MOST_BYTES`.

    Raises:
        Exception: Of many kinds, the runtime's, if it cannot be opened.
    """
    _limit_arena()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry('session.use_env_allocators', '1')
    options.add_session_config_entry(FOLDED, str(MOST_FOLDED))
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else os.fspath(model),
        options,
        providers=['CPUExecutionProvider'],
    )


def compute(data: bytes, images: Sequence[Image], levels: Sequence[int]) -> None:
    """Let a network compute.

    Args:
        data: Its file's content.
        images: Its inputs.
        levels: How many each of the images has that it looks at: noise, or nothing.

    Raises:
        TimeoutError: If it takes too long to compute once.
        Exception: Of many kinds, the runtime's, if it computes nothing.
    """
    session = open_limited(data)
    for count in levels:
        _run(session, _noise(images, count))


def _noise(images: Sequence[Image], levels: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    return {
        name: chance.integers(0, levels, sides, np.uint8).astype(kind)
        for name, kind, sides in images
    }


def _run(session: onnxruntime.InferenceSession, given: dict[str, np.ndarray]) -> None:
    """Compute once; give the memory back, of which pieces would be left over."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry('memory.enable_memory_arena_shrinkage', 'cpu:0')
    timer = Timer(MOST_SECONDS, lambda: setattr(options, 'terminate', True))
    timer.daemon = True
    start = time.monotonic()
    timer.start()
    try:
        session.run(None, given, options)
    except Exception as error:
        if not options.terminate:
            raise
        raise TimeoutError(str(error)) from error
    finally:
        timer.cancel()
    if time.monotonic() - start > MOST_SECONDS:
        raise TimeoutError


@cache
def _limit_arena() -> None:
    """Set a limit for all sessions that use the allocator of the process."""
    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo(
            'Cpu',
            onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
            0,
            onnxruntime.OrtMemType.DEFAULT,
        ),
        onnxruntime.OrtArenaCfg({'max_mem': MOST_BYTES, 'arena_extend_strategy': 1}),
    )


def main(path: str) -> None:
    """Try a file in this process, which then ends, whatever comes of it.

    What else :func:`compute` takes is read, and the error written, if there is one.
    """
    _limit_process()
    images, levels = json.load(sys.stdin)
    try:
        with open(path, 'rb') as file:
            compute(file.read(), images, levels)
    except Exception as error:  # of many kinds, all the runtime's
        print(json.dumps(str(error) or type(error).__name__))
        sys.exit(1)


def _limit_process() -> None:
    """Set limits of memory and time, where a system has such.

    The time is for when nobody is left to end the process.
    """
    try:
        import resource
    except ImportError:  # on Windows
        return
    cores = os.cpu_count() or 1
    limits = {
        resource.RLIMIT_DATA: MOST_MEMORY + cores * STACK,
        resource.RLIMIT_CPU: int(MOST_SECONDS) * cores,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # as macOS may say
            resource.setrlimit(kind, (least, hard))
