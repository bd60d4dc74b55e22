"""Checkpoint files of PyTorch: read without executing code, and held against a model.

Source: ``torch.load(weights_only=True)`` with the types that
:mod:`litehrnet_mm.compat` allow-lists.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from litehrnet_mm.cli import UserError

# In the words of torch.load(weights_only=True).
FORBIDDEN = re.compile(r'GLOBAL (\S+)')
REASON = re.compile(r'WeightsUnpickler error: *(.+)')


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
    path = Path(path)
    if not path.is_file():
        raise UserError(f'checkpoint not found: {path}')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(_describe_refusal(path, str(error))) from error
    except Exception as error:  # a damaged file can lead its reader anywhere
        reason = str(error).strip().split('\n')[0].split('. ')[0]
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
        and all(isinstance(item, torch.Tensor) for item in value.values())
    )


def _describe_refusal(path: Path, text: str) -> str:
    found = FORBIDDEN.search(text)
    if found:
        return (
            f'checkpoint {path} refused: it refers to {found[1]}, which is no tensor '
            'or plain value and could run code; get it from a source you trust as '
            'weights alone'
        )
    reason = REASON.search(text)
    if reason and reason[1].startswith('Can only'):
        return f'checkpoint {path} refused: {reason[1]}'
    reason_text = f' ({reason[1].strip()})' if reason else ''
    return f'checkpoint {path} is damaged or not a PyTorch file{reason_text}'


def is_local(path: str) -> bool:
    """Whether a name is that of a file, and not for MMEngine to fetch by a scheme."""
    return '://' not in path


def check_fits(
    path: str | Path, checkpoint: dict[str, Any], model: nn.Module, partly: bool = False
) -> None:
    """Check that a checkpoint holds every weight of a model, in its shape.

    Entries that the model has no place for are allowed: an auxiliary head, say.

    Args:
        path: The checkpoint's file, for messages.
        checkpoint: What :func:`read_checkpoint` returned for it.
        model: The model it will be loaded into.
        partly: Be content with any weight that fits, as for fine-tuning with another
            head.

    Raises:
        UserError: If weights are missing or differ in shape; the first one is named.
    """
    weights = {
        re.sub(r'^module\.', '', key): value
        for key, value in checkpoint['state_dict'].items()
    }
    wanted = {
        key: value
        for key, value in model.state_dict().items()
        if not key.endswith('num_batches_tracked')
    }
    missing = [key for key in wanted if key not in weights]
    differing = [
        f'{key} {tuple(weights[key].shape)} instead of {tuple(value.shape)}'
        for key, value in wanted.items()
        if key in weights and weights[key].shape != value.shape
    ]
    if partly and len(missing) + len(differing) < len(wanted):
        return
    if missing or differing:
        problems = []
        if missing:
            problems.append(f'{len(missing)} of {len(wanted)} entries are missing')
        if differing:
            problems.append(f'{len(differing)} have another shape')
        raise UserError(
            f'checkpoint {path} does not fit the config: {", ".join(problems)}, '
            f'e.g. {(differing + missing)[0]}'
        )
