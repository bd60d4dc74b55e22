"""Writing of converted checkpoints: whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litehrnet_mm.checkpoints.ncnn import PathLike
from litehrnet_mm.cli import UserError
from litehrnet_mm.version import __version__
from litehrnet_mm.writing import written_whole


def check_output(path: PathLike, inputs: tuple[PathLike, ...], force: bool) -> None:
    """Check, before any work is done, that a checkpoint may be written to ``path``.

    Args:
        path: The file to be written.
        inputs: Files that are read for it.
        force: Whether an existing file may be replaced.

    Raises:
        UserError: If ``path`` is not called ``*.pth``, lies in no existing folder, is
            an input, or exists and is a folder or ``force`` is not set.
    """
    out = Path(path)
    if out.suffix != '.pth':
        raise UserError(f'{out}: expected a name that ends in .pth for the output')
    try:
        if not out.parent.is_dir():
            raise UserError(f'{out}: no such folder: {out.parent}; create it first')
        if out.is_dir():
            raise UserError(f'{out}: expected a file to write, found a folder')
        if any(out.exists() and Path(p).exists() and out.samefile(p) for p in inputs):
            raise UserError(f'{out}: is both input and output; choose another output')
        if os.path.lexists(out) and not force:
            raise UserError(f'{out}: exists; give --force to replace it')
    except OSError as error:  # such as a name that is too long
        raise UserError(f'{out}: cannot be written: {error.strerror}') from error


def save_checkpoint(
    path: PathLike, state_dict: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> None:
    """Write a checkpoint in MMEngine's layout, replacing ``path`` if it exists.

    The file appears under its name only when it is complete and on the disk. It
    holds tensors and plain containers, so ``torch.load(weights_only=True)`` takes it,
    and its bytes depend on the contents alone.

    Args:
        path: The file to write.
        state_dict: The weights.
        meta: What the checkpoint says about itself; this project's version is added.

    Raises:
        UserError: If the file cannot be written.
    """
    meta = dict(meta, converted_by=f'litehrnet_mm {__version__}')
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=dict(state_dict)), buffer)
    out = Path(path)
    try:
        with written_whole(out) as part:
            part.write_bytes(buffer.getbuffer())
    except OSError as error:
        raise UserError(f'{out}: cannot be written: {error.strerror}') from error
