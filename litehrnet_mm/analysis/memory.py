"""How much memory a pass takes."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from typing import Callable

import torch

STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')
RESET_PEAK = '5'
"""What Linux takes in ``clear_refs`` to start the peak anew (proc(5))."""


def peak_memory(run: Callable[[], object]) -> int | None:
    """Bytes that a call takes at its peak, beyond what is taken before it.

    With a GPU, of the GPU's memory. Otherwise of the process: only the first call
    tells what a network needs, since runtimes keep their memory for the next.

    Returns:
        Nothing where it cannot be told: without a GPU that takes Linux.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    if not _can_reset():
        run()
        return None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free but kept would hide what is taken
    CLEAR.write_text(RESET_PEAK)
    before = _status('VmRSS')
    run()
    return max(0, _status('VmHWM') - before)


def _can_reset() -> bool:
    if not sys.platform.startswith('linux') or not hasattr(
        ctypes.CDLL(None), 'malloc_trim'
    ):
        return False
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def _status(name: str) -> int:
    """An entry of the process's status, in bytes."""
    for line in STATUS.read_text().splitlines():
        key, _, value = line.partition(':')
        if key == name:
            return int(value.split()[0]) * 1024
    raise KeyError(name)
