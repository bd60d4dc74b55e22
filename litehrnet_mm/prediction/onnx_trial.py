"""An ONNX file is tried before it is relied on, where need be in another process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction import onnx_run
from litehrnet_mm.prediction.onnx_run import MOST_BYTES, Image, compute
from litehrnet_mm.runtime.model import said_by_runtime

OVER = 'Available memory of'
"""How ONNX Runtime says that values would take more than its arena may have."""
NO_MEMORY = 'bad_alloc'
"""How it says that there is none, where more than the arena is limited."""
CHILD = (
    'import sys; path, *sys.path = sys.argv[1:]; '
    'from litehrnet_mm.prediction.onnx_run import main; main(path)'
)
"""What a process of its own runs: it finds modules where this one does."""


def check_computes(
    data: bytes,
    images: Sequence[onnx.ValueInfoProto],
    path: Path,
    levels: Sequence[int],
    apart: bool,
) -> None:
    """Let a network compute.

    Args:
        data: Its file's content.
        images: Its inputs, of known shapes.
        path: The file.
        levels: How many each of the images has that it looks at: noise, or nothing.
        apart: In a process of its own, which can be ended whatever it does: for what
            could take any time or memory, or end the interpreter.

    Raises:
        UserError: If it computes nothing, or takes too much memory or time.
    """
    try:
        given = [_described(image) for image in images]
        if apart:
            _compute_apart(path, given, levels)
        else:
            compute(data, given, levels)
    except UserError:
        raise
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise UserError(
            f'{path} takes more than {onnx_run.MOST_SECONDS:g} s to compute once: it '
            'may be hostile, or too large for this machine'
        ) from error
    except Exception as error:  # of many kinds, all the runtime's
        if OVER in str(error) or NO_MEMORY in str(error):
            raise UserError(
                f'{path} takes more than {MOST_BYTES / 2**30:g} GB to compute'
            ) from error
        raise UserError(
            f'{path} cannot be opened, or computes nothing: {said_by_runtime(error)}'
        ) from error


def _described(image: onnx.ValueInfoProto) -> Image:
    tensor = image.type.tensor_type
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return image.name, kind.name, [side.dim_value for side in tensor.shape.dim]


def _compute_apart(path: Path, images: Sequence[Image], levels: Sequence[int]) -> None:
    """Let a network compute in a process of its own, and wait for that.

    Raises:
        UserError: If the process is ended from outside.
        subprocess.TimeoutExpired: If it takes too long.
        RuntimeError: If the network computes nothing, with what was said.
    """
    done = subprocess.run(
        [sys.executable, '-I', '-c', CHILD, path, *sys.path],
        input=json.dumps([images, levels]).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=onnx_run.MOST_SECONDS,
    )
    if done.returncode and done.stdout:
        raise RuntimeError(json.loads(done.stdout))
    if done.returncode:
        raise UserError(
            f'{path} ends the process that tries it ({_ending(done.returncode)}): it '
            'is damaged or hostile, or too large for the memory of this machine'
        )


def _ending(status: int) -> str:
    """How a process ended, by its status."""
    names = {-sign: sign.name for sign in signal.Signals}
    return names.get(status, f'exit status {status}')
