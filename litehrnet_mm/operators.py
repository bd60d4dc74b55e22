"""Operators of mmcv that ``mmcv-lite`` lacks, by those of torchvision.

They have the signatures by which mmcv calls its compiled extension, results in place
included, so that ``mmcv.ops.nms``, ``batched_nms`` and ``RoIAlign`` work as they are.
"""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor

AVERAGE = 1
"""mmcv's number for average pooling of ``roi_align``; 0 is the maximum."""


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Non-maximum suppression.

    Args:
        bboxes: ``(N, 4)``: left, top, right, bottom.
        scores: ``(N,)``.
        iou_threshold: Boxes that overlap a better one by more are dropped.
        offset: 1 if coordinates are those of the outer pixels, so that a box is
            ``right - left + 1`` wide; else 0.

    Returns:
        The numbers of those that stay, the best first.
    """
    # A box that reaches by the offset further right and down has those sides and
    # overlaps.
    shift = bboxes.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(bboxes + shift, scores, iou_threshold)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoIAlign (He et al., 2017), into ``output``.

    Args:
        input: ``(N, C, H, W)``.
        rois: ``(K, 5)``: number of the image, left, top, right, bottom.
        output: ``(K, C, aligned_height, aligned_width)``, which is filled.
        argmax_y: For the maximum, and not used.
        argmax_x: Likewise.
        aligned_height: Bins of a region.
        aligned_width: Likewise.
        spatial_scale: Pixels of ``input`` for one of the boxes.
        sampling_ratio: Samples along a bin; 0 follows its size.
        pool_mode: 1, the average.
        aligned: Whether boxes are moved by half a pixel, so that pixels have centres.

    Raises:
        NotImplementedError: For ``pool_mode`` 0, the maximum.
    """
    _need_average(pool_mode)
    found = torch.ops.torchvision.roi_align(
        input,
        rois,
        spatial_scale,
        aligned_height,
        aligned_width,
        sampling_ratio,
        aligned,
    )
    output.copy_(found)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """The gradient of :func:`roi_align_forward`, into ``grad_input``."""
    _need_average(pool_mode)
    found = torch.ops.torchvision._roi_align_backward(
        grad_output,
        rois,
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.copy_(found)


def _need_average(pool_mode: int) -> None:
    if pool_mode != AVERAGE:
        raise NotImplementedError(
            "roi_align with pool_mode='max' needs full mmcv; torchvision has 'avg' only"
        )
