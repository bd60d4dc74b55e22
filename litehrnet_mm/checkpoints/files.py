"""Checkpoint files: which kind they are, and PyTorch's read without executing code.

Source: ``torch.load(weights_only=True)`` with the types that
:mod:`litehrnet_mm.compat` allow-lists.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from litehrnet_mm.checkpoints.archives import (
    check_archive,
    check_old_form,
    is_archive,
)
from litehrnet_mm.checkpoints.ncnn import FLOAT16_TAG, FLOAT32_TAG, MAGIC
from litehrnet_mm.checkpoints.pickles import HarmfulError
from litehrnet_mm.cli import UserError
from litehrnet_mm.values import shown

# In the words of torch.load(weights_only=True).
FORBIDDEN = re.compile(r'GLOBAL (\S+)')
REASON = re.compile(r'WeightsUnpickler error: *(.+)')

# A pickle of protocol 2 to 4, perhaps in a frame, that begins with a dictionary; the
# first array in it follows soon.
PADDLE = re.compile(
    rb'\x80[\2-\4](\x95.{8})?(\}|ccollections\nOrderedDict\n|\x8c\x0bcollections)',
    re.DOTALL,
)
CONVERTED_AS = {'ncnn': 'pp-tinypose', 'paddle': 'paddle'}
"""By kind of file, what tools/convert_checkpoint.py calls it."""


def file_kind(path: str | Path) -> str:
    """Tell from its first bytes which kind of file holds weights.

    Returns:
        ``'ncnn'`` for either of its two files, ``'paddle'`` for a pickle such as
        PaddlePaddle writes, and ``'pytorch'`` for everything else.

    Raises:
        UserError: If there is no such file or it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f'checkpoint {path} is a folder: give a file')
    if not path.is_file():
        raise UserError(f'checkpoint not found: {path}')
    start = _first_bytes(path)
    if _is_ncnn_graph(start) or _is_ncnn_weights(path, start):
        return 'ncnn'
    return 'paddle' if PADDLE.match(start) and b'numpy' in start else 'pytorch'


def _is_ncnn_graph(start: bytes) -> bool:
    return start.lstrip().startswith(MAGIC.encode())


def _is_ncnn_weights(path: Path, start: bytes) -> bool:
    tag = int.from_bytes(start[:4], 'little') if len(start) >= 4 else None
    if tag == FLOAT32_TAG:  # 0, as a spoilt file may begin with, too
        graph = path.with_suffix('.param')
        return graph.is_file() and _is_ncnn_graph(_first_bytes(graph))
    return tag == FLOAT16_TAG


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, 'rb') as handle:
            return handle.read(1024)
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from error


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Args:
        path: A file that ``torch.save`` wrote: a training checkpoint, or a bare
            state dict.

    Returns:
        The checkpoint; a bare state dict is put under ``'state_dict'``.

    Raises:
        UserError: If the file is missing, damaged, not a checkpoint, or a pickle that
            holds anything but tensors, plain containers and MMEngine's own types.
    """
    kind = file_kind(path)
    if kind in CONVERTED_AS:
        raise UserError(
            f'checkpoint {path} is of {kind}, not of PyTorch: convert it with python '
            f'tools/convert_checkpoint.py {CONVERTED_AS[kind]} {path} OUT.pth'
        )
    try:
        if is_archive(_first_bytes(Path(path))):
            check_archive(path)
        else:
            check_old_form(Path(path).read_bytes())
        content = torch.load(path, map_location='cpu', weights_only=True)
    except HarmfulError as error:
        raise UserError(
            f'checkpoint {path} is damaged or not a PyTorch file ({error})'
        ) from error
    except pickle.UnpicklingError as error:
        raise UserError(_describe_refusal(path, str(error))) from error
    except Exception as error:  # a damaged file can lead its reader anywhere
        reason = shown(str(error).strip().split('\n')[0].split('. ')[0], 200)
        raise UserError(
            f'checkpoint {path} is damaged or not a PyTorch file '
            f'({type(error).__name__}{": " + reason if reason else ""})'
        ) from error
    if isinstance(content, dict) and 'state_dict' not in content:
        content = {'state_dict': content}
    if not isinstance(content, dict) or not _is_state_dict(content['state_dict']):
        raise UserError(f'checkpoint {path} holds no state dict of named tensors')
    return content


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(key, str) for key in value)
        and all(_is_plain_tensor(item) for item in value.values())
    )


def _is_plain_tensor(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == 'cpu'  # and not meta, without numbers
        and not value.is_quantized
    )


def _describe_refusal(path: Path, text: str) -> str:
    found = FORBIDDEN.search(text)
    if found:
        return (
            f'checkpoint {path} refused: it refers to {shown(found[1])}, which is no '
            'tensor or plain value and could run code; get it from a source you trust '
            'as weights alone'
        )
    reason = REASON.search(text)
    if reason and reason[1].startswith('Can only'):
        return f'checkpoint {path} refused: {shown(reason[1], 200)}'
    said = shown(reason[1].strip(), 200) if reason else ''
    reason_text = f' ({said})' if said else ''
    return f'checkpoint {path} is damaged or not a PyTorch file{reason_text}'


def is_local(path: str) -> bool:
    """Whether a name is that of a file, and not for MMEngine to fetch by a scheme."""
    return '://' not in path
