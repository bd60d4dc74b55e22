"""What an exported file should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """What an exported file should take and give.

    Attributes:
        backbone_only: Feature maps of the backbone, without neck and head.
        preprocess: Takes images ``(N, H, W, 3)``, uint8, BGR, and normalises them.
            Otherwise normalised ones, ``(N, 3, H, W)``.
        decode: Pose: gives keypoints and scores in place of heatmaps.
        label_map: Segmentation: gives the class of each pixel in place of scores.
    """

    backbone_only: bool = False
    preprocess: bool = False
    decode: bool = False
    label_map: bool = False


@dataclass(frozen=True)
class Plan:
    """How a file should be written.

    Attributes:
        size: Height and width of the input, in pixels.
        wanted: What it takes and gives.
        dynamic: ``'batch'`` if the batch may have any size, ``'all'`` if height and
            width may as well, ``''`` if neither.
        precision: ``'fp32'`` or ``'fp16'``; inputs and outputs are fp32 in both.
        opset: Version of ONNX's operators.
        runtime: Which it should be fast on, ``'onnxruntime'`` or ``'openvino'``; it
            runs on both.
    """

    size: tuple[int, int]
    wanted: Wanted = Wanted()
    dynamic: str = ''
    precision: str = 'fp32'
    opset: int = 17
    runtime: str = 'onnxruntime'
