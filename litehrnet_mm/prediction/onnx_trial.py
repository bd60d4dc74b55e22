"""An ONNX file computes within limits: sizes can depend on what is computed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Timer

import numpy as np
import onnx
import onnxruntime

from litehrnet_mm.cli import UserError
from litehrnet_mm.runtime.model import FOLDED, said_by_runtime

MOST_BYTES = 3 * 2**29
"""Of all values together."""
OVER = 'Available memory of'
"""How ONNX Runtime says that it was more."""
MOST_SECONDS = 60.0
"""To compute once; Lite-HRNet-30 takes 10 for a street of 2048×1024 pixels on one busy
core."""
MOST_FOLDED = 4096
"""Bytes of a value that is computed when a file is opened: sizes and factors, but
nothing large, which is outside of the limit."""


def open_limited(model: str | os.PathLike | bytes) -> onnxruntime.InferenceSession:
    """Open a file, or its content, for computing within :data:`MOST_BYTES`.

    Raises:
        Exception: Of many kinds, the runtime's, if it cannot be opened.
    """
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry('session.use_env_allocators', '1')
    options.add_session_config_entry(FOLDED, str(MOST_FOLDED))
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else os.fspath(model),
        options,
        providers=['CPUExecutionProvider'],
    )


def check_computes(
    data: bytes,
    images: Sequence[onnx.ValueInfoProto],
    path: Path,
    levels: Sequence[int],
) -> None:
    """Let a network compute.

    Args:
        data: Its file's content.
        images: Its inputs, of known shapes.
        path: The file, for messages.
        levels: How many each of the images has that it looks at: noise, or nothing.

    Raises:
        UserError: If it computes nothing, or takes too much memory or time.
    """
    try:
        session = open_limited(data)
        for count in levels:
            _run(session, _noise(images, count), path)
    except UserError:
        raise
    except Exception as error:  # of many kinds, all the runtime's
        if OVER in str(error):
            raise UserError(
                f'{path} takes more than {MOST_BYTES / 2**30:g} GB to compute'
            ) from error
        raise UserError(
            f'{path} cannot be opened, or computes nothing: {said_by_runtime(error)}'
        ) from error


def _noise(images: Sequence[onnx.ValueInfoProto], levels: int) -> dict[str, np.ndarray]:
    chance, given = np.random.default_rng(0), {}
    for image in images:
        tensor = image.type.tensor_type
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        sides = [side.dim_value for side in tensor.shape.dim]
        given[image.name] = chance.integers(0, levels, sides, np.uint8).astype(kind)
    return given


def _run(
    session: onnxruntime.InferenceSession, given: dict[str, np.ndarray], path: Path
) -> None:
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
        raise _too_long(path) from error
    finally:
        timer.cancel()
    if time.monotonic() - start > MOST_SECONDS:
        raise _too_long(path)


def _too_long(path: Path) -> UserError:
    return UserError(
        f'{path} takes more than {MOST_SECONDS:g} s to compute once: it may be '
        'hostile, or too large for this machine'
    )


@cache
def _limit_memory() -> None:
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
