"""Names of weights: those of older checkpoints as those of MMPose 1.x.

The official repository (mmcv 1.x) and MMPose 0.x call a pose estimator's head
``keypoint_head``; MMPose 1.x calls it ``head``. Where 0.x put convolutions in front of
the last one (``num_conv_layers``), they were numbered together in ``final_layer``; 1.x
keeps them in ``conv_layers``. Backbone and deconvolutions have the same names in both.
A model trained on several GPUs may have been saved with the prefix ``module.``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Callable, TypeVar

from litehrnet_mm.checkpoints.ncnn import PathLike
from litehrnet_mm.cli import UserError

T = TypeVar('T')

PREFIX = re.compile(r'^module\.')
OLD_HEAD = 'keypoint_head.'
# The mean and deviation of the input, which MMPose takes from the config.
PREPROCESSOR = ('data_preprocessor.mean', 'data_preprocessor.std')
NUMBERED_LAYER = re.compile(r'keypoint_head\.final_layer\.(\d+)\.(.+)')


def current_keys(state_dict: Mapping[str, T], where: PathLike) -> dict[str, T]:
    """Give the entries of a state dict the keys of MMPose 1.x.

    Args:
        state_dict: Entries with keys of the official repository, MMPose 0.x or 1.x.
        where: Their file, for messages.

    Raises:
        UserError: If two entries have the same key under their new names.
    """
    bare = rename_all(state_dict, lambda key: PREFIX.sub('', key), where)
    bare = {key: value for key, value in bare.items() if key not in PREPROCESSOR}
    numbered = (NUMBERED_LAYER.fullmatch(key) for key in bare)
    last = max((int(match[1]) for match in numbered if match), default=0)

    def rename(key: str) -> str:
        match = NUMBERED_LAYER.fullmatch(key)
        if match and int(match[1]) < last:
            return f'head.conv_layers.{match[1]}.{match[2]}'
        if match:
            return f'head.final_layer.{match[2]}'
        return f'head.{key[len(OLD_HEAD) :]}' if key.startswith(OLD_HEAD) else key

    return rename_all(bare, rename, where)


def has_old_head(state_dict: Mapping[str, object]) -> bool:
    """Whether the head has its name of the official repository and MMPose 0.x."""
    return any(PREFIX.sub('', key).startswith(OLD_HEAD) for key in state_dict)


def rename_all(
    entries: Mapping[str, T], rename: Callable[[str], str], where: PathLike
) -> dict[str, T]:
    """Rename the entries of a file.

    Raises:
        UserError: If two of them get the same name.
    """
    renamed = {rename(key): value for key, value in entries.items()}
    if len(renamed) < len(entries):
        (twice, _), *_ = Counter(map(rename, entries)).most_common(1)
        raise UserError(
            f'{where}: holds two entries for {twice[:80]}, under different names'
        )
    return renamed
