"""PaddleDetection's Lite-HRNet pose estimators (PP-TinyPose) as weights of ours.

Facts, read in PaddleDetection (Apache-2.0), ``ppdet/modeling/backbones/lite_hrnet.py``
(commit 9e8adf5) and ``ppdet/modeling/architectures/keypoint_hrnet.py``
(``TopDownHRNet``):

* The network is that of the official repository, module by module: ``stem``,
  ``transition0``…, ``stage0``…, ``head_layer`` with the same submodules in the same
  order (stem branches, blocks, ``fuse_layers.i.j`` with a gap at ``i == j``,
  transition layers with a gap where nothing changes, iterative head from the coarsest
  branch to the finest). The fusion's sums come out as in the released networks, and
  every BatchNorm has an epsilon of 1e-5.
* What differs is names. Where mmcv's ConvModule has ``conv`` and ``bn``, its
  ``ConvNormLayer`` has ``conv`` and ``norm``; BatchNorm's statistics are ``_mean`` and
  ``_variance``; and the 1×1 pose head, here ``head.final_layer``, is ``final_conv``.
* Weights of convolutions are ``(out, in // groups, h, w)``, as in PyTorch. No counter
  of batches is kept.
* All four nets are there as ``network_type``; the published PP-TinyPose is
  ``wider_naive`` with 17 keypoints, or 21 of a hand.
* Input (``configs/keypoint/tiny_pose``, ``ppdet/data/source/keypoint_coco.py``): RGB,
  ImageNet mean and deviation, boxes padded by 1.25; trained with UDP.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from litehrnet_mm.checkpoints.keys import rename_all
from litehrnet_mm.checkpoints.ncnn import PathLike
from litehrnet_mm.checkpoints.pdparams import read_pdparams
from litehrnet_mm.checkpoints.pp_tinypose import INPUT

META: dict[str, Any] = dict(
    source='PaddleDetection, from its .pdparams file',
    input=INPUT,
)
"""What a checkpoint made of these weights says about itself."""

PADDLE_TO_OURS = {
    'norm': 'bn',
    '_mean': 'running_mean',
    '_variance': 'running_var',
    'final_conv': 'head.final_layer',
}
"""The parts of a dotted name that differ; all others are the same."""


def read_paddle(path: PathLike) -> dict[str, Tensor]:
    """Read a ``.pdparams`` file as a pose estimator's state dict.

    Args:
        path: The file.

    Returns:
        Entries with the keys of a ``TopdownPoseEstimator`` with ``LiteHRNet`` and a
        ``HeatmapHead`` of one 1×1 convolution, BatchNorm with its trained statistics.
        Whether they are all there is for the caller to compare.

    Raises:
        UserError: If the file is damaged or is no file of named arrays.
    """
    arrays = rename_all(read_pdparams(path), our_key, path)
    return {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}


def our_key(name: str) -> str:
    """The key that an entry with this Paddle name has here."""
    return '.'.join(PADDLE_TO_OURS.get(part, part) for part in name.split('.'))
