"""Checkpoint files: which kind they are, and PyTorch's read without executing code.

Source: ``torch.load(weights_only=True)`` with the types that
:mod:`litehrnet_mm.compat` allow-lists.
"""

from __future__ import annotations

import codecs
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from litehrnet_mm.checkpoints.archives import (
    check_archive,
    check_old_form,
    is_archive,
)
from litehrnet_mm.checkpoints.ncnn import FLOAT16_TAG, FLOAT32_TAG, MAGIC
from litehrnet_mm.checkpoints.pickles import HarmfulError, UnfitError
from litehrnet_mm.cli import UserError
from litehrnet_mm.compat import apply_compat
from litehrnet_mm.values import shown

# In the words of torch.load(weights_only=True).
FORBIDDEN = re.compile(r'GLOBAL (\S+)')
REASON = re.compile(r'WeightsUnpickler error:\s*(.+)')

# A pickle of protocol 2 to 4, perhaps in a frame, that begins with a dictionary; the
# first array in it follows soon.
PADDLE = re.compile(
    rb'\x80[\2-\4](\x95.{8})?(\}|ccollections\nOrderedDict\n|\x8c\x0bcollections)',
    re.DOTALL,
)
SAFETENSORS = re.compile(rb'.{6}\0\0\{', re.DOTALL)
"""The length of its JSON, and how that begins."""
GZIP = b'\x1f\x8b'
CONVERTED_AS = {'ncnn': 'pp-tinypose', 'paddle': 'paddle'}
"""By kind of file, what tools/convert_checkpoint.py calls it."""


def file_kind(path: str | Path) -> str:
    """Tell from its first bytes which kind of file holds weights.

    Returns:
        ``'ncnn'`` for either of its two files, ``'paddle'`` for a pickle such as
        PaddlePaddle writes, and ``'pytorch'`` for everything else.

    Raises:
        UserError: If there is no such file, it is empty, or it cannot be read.
    """
    path = Path(path)
    check_is_file(path)
    start = _first_bytes(path)
    if _is_ncnn_graph(start) or _is_ncnn_weights(path, start):
        return 'ncnn'
    return 'paddle' if PADDLE.match(start) and b'numpy' in start else 'pytorch'


def check_is_file(path: Path) -> None:
    """Make sure that a file of weights is one, and has content.

    Raises:
        UserError: If it is not there, a folder, a device, or empty.
    """
    if os.path.isdir(path):  # pathlib's raises an error for long names
        raise UserError(f'checkpoint {path} is a folder: give a file')
    if not os.path.exists(path):
        raise UserError(f'checkpoint not found: {path}')
    if not os.path.isfile(path):
        raise UserError(f'checkpoint {path} is a device or pipe: give a regular file')
    if not os.path.getsize(path):
        raise UserError(
            f'checkpoint {path} is empty: it was never written or fetched; get it again'
        )


def _is_ncnn_graph(start: bytes) -> bool:
    return start.lstrip().startswith(MAGIC.encode())


def _is_ncnn_weights(path: Path, start: bytes) -> bool:
    tag = int.from_bytes(start[:4], 'little') if len(start) >= 4 else None
    if tag == FLOAT32_TAG:  # 0, as a spoilt file may begin with, too
        graph = path.with_suffix('.param')
        return os.path.isfile(graph) and _is_ncnn_graph(_first_bytes(graph))
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
        UserError: If the file is missing, damaged, not a checkpoint, a pickle that
            holds anything but tensors, plain containers and MMEngine's own types, or
            if weights are NaN or infinite.
    """
    kind = file_kind(path)
    if kind in CONVERTED_AS:
        raise UserError(
            f'checkpoint {path} is of {kind}, not of PyTorch: convert it with python '
            f'tools/convert_checkpoint.py {CONVERTED_AS[kind]} {path} OUT.pth'
        )
    apply_compat()
    try:
        if is_archive(_first_bytes(Path(path))):
            check_archive(path)
        else:
            check_old_form(Path(path).read_bytes())
        content = torch.load(path, map_location='cpu', weights_only=True)
    except UnfitError as error:
        raise UserError(
            f'checkpoint {path} is not read: {error}; save its state dict alone, as '
            'torch.save does by default'
        ) from error
    except HarmfulError as error:
        raise _unreadable(path, str(error)) from error
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    except Exception as error:  # a damaged file can lead its reader anywhere
        reason = shown(str(error).strip().split('\n')[0].split('. ')[0], 200)
        kind = type(error).__name__
        raise _unreadable(path, f'{kind}: {reason}' if reason else kind) from error
    if isinstance(content, dict) and 'state_dict' not in content:
        content = {'state_dict': content}
    if not isinstance(content, dict) or not _is_state_dict(content['state_dict']):
        raise UserError(f'checkpoint {path} holds no state dict of named tensors')
    check_finite(path, content['state_dict'])
    return content


def check_finite(path: str | Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Make sure that there are no weights that are no numbers.

    Args:
        path: The file, for messages.
        weights: Its entries: plain tensors on the CPU.

    Raises:
        UserError: If an entry holds NaN or infinity.
    """
    spoilt = not_finite(weights)
    if spoilt:
        raise UserError(
            f'checkpoint {path}: {len(spoilt)} of {len(weights)} entries hold NaN or '
            f'inf, the first is {shown(spoilt[0], 200)}: the training that wrote it '
            'had diverged; take an earlier checkpoint'
        )


def not_finite(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the tensors, which are plain ones, that hold NaN or infinity."""
    return [key for key, value in weights.items() if not is_finite(value)]


def is_finite(value: torch.Tensor) -> bool:
    """Whether a plain tensor holds neither NaN nor infinity."""
    if not (value.is_floating_point() or value.is_complex()):
        return True
    if is_repeated(value):
        value = value.new_empty(0).set_(value.untyped_storage())
    try:
        value = value.float() if value.element_size() == 1 else value
        return bool(torch.isfinite(value).all())
    except NotImplementedError:  # floats of four bits, which have neither
        return True


def is_repeated(value: torch.Tensor) -> bool:
    """Whether a tensor's strides repeat numbers: it is larger than its file at will."""
    return value.numel() * value.element_size() > value.untyped_storage().nbytes()


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(key, str) for key in value)
        and all(is_plain_tensor(item) for item in value.values())
    )


def is_plain_tensor(value: Any) -> bool:
    """Whether a value is a dense tensor of plain numbers on the CPU."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == 'cpu'  # and not meta, without numbers
        and not value.is_quantized
        and not value.is_nested
    )


def _refusal(path: str | Path, text: str) -> UserError:
    """For what PyTorch says of a pickle that it does not read."""
    found = FORBIDDEN.search(text)
    if found:
        return UserError(
            f'checkpoint {path} refused: it refers to {shown(found[1])}, which is no '
            'tensor or plain value and could run code; get it from a source you trust '
            'as weights alone'
        )
    reason = REASON.search(text)
    if reason and reason[1].startswith('Can only'):
        return UserError(f'checkpoint {path} refused: {shown(reason[1], 200)}')
    if reason and reason[1].startswith(('an array', 'numbers')):  # our stand-ins
        return UserError(f'checkpoint {path} refused: it holds {shown(reason[1], 200)}')
    return _unreadable(path, shown(reason[1].strip(), 200) if reason else '')


def _unreadable(path: str | Path, reason: str) -> UserError:
    """For a file that could not be read, by what it is or else by the reason."""
    start = _first_bytes(Path(path))
    if SAFETENSORS.match(start):
        return UserError(
            f'checkpoint {path} is of safetensors, not of PyTorch: save what '
            'safetensors.torch.load_file reads of it with torch.save'
        )
    if start.startswith(GZIP):
        return UserError(
            f'checkpoint {path} is packed by gzip: unpack it with gzip -d first'
        )
    text = _text(start)
    if text is None:
        more = f' ({reason})' if reason else ''
        return UserError(f'checkpoint {path} is damaged or not a PyTorch file{more}')
    if text.startswith('<'):
        return UserError(
            f'checkpoint {path} is a page of HTML or XML, not a PyTorch file: the '
            'download gave an error or a login; get the file itself'
        )
    line = text.partition('\n')[0].strip()
    return UserError(
        f'checkpoint {path} is a text file, not a PyTorch file; it begins with '
        f'{shown(repr(line))}'
    )


def _text(start: bytes) -> str | None:
    """The beginning of a file as text, without blanks before it, if it is text."""
    try:  # a letter of several bytes may be cut off at the end
        text = codecs.getincrementaldecoder('utf-8-sig')().decode(start)
    except UnicodeDecodeError:
        return None
    is_text = all(letter.isprintable() or letter.isspace() for letter in text)
    return text.strip() if is_text else None


def is_local(path: str) -> bool:
    """Whether a name is that of a file, and not for MMEngine to fetch by a scheme."""
    return '://' not in path
