"""Networks to predict with: exported ones, or configs with checkpoints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope

from litehrnet_mm.analysis.complexity_config import input_size
from litehrnet_mm.cli import UserError
from litehrnet_mm.deploy.metadata import describe
from litehrnet_mm.engine.building import default_device
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.loading import load_model
from litehrnet_mm.engine.options import is_segmentation
from litehrnet_mm.prediction.onnx_check import check_onnx
from litehrnet_mm.runtime import PoseRuntime, SegRuntime, open_runtime
from litehrnet_mm.runtime.model import ImageError


class TorchPose:
    """A pose network in PyTorch, through MMPose; used as a ``PoseRuntime``.

    Args:
        cfg: The config.
        model: Its model, with weights, in evaluation mode.
        facts: What :func:`~litehrnet_mm.deploy.metadata.describe` tells.
    """

    def __init__(self, cfg: Config, model: Any, facts: dict[str, Any]) -> None:
        from mmpose.apis.inference import dataset_meta_from_config

        self.model = model
        self.model.cfg = cfg
        self.model.dataset_meta = dataset_meta_from_config(cfg, 'test')
        self.keypoints, self.skeleton = facts['keypoints'], facts['skeleton']

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Poses of persons; see :meth:`litehrnet_mm.runtime.PoseRuntime.__call__`.

        Raises:
            ImageError: If OpenCV cannot cut persons out of the image.
        """
        from mmpose.apis import inference_topdown

        if not len(boxes):
            count = len(self.keypoints)
            return np.zeros((0, count, 2)), np.zeros((0, count))
        try:
            samples = inference_topdown(self.model, image, boxes, bbox_format='xyxy')
        except cv2.error as error:
            raise ImageError(
                f'{image.shape[1]}x{image.shape[0]} pixels (width x height) cannot be '
                "cut as the config's test pipeline says"
            ) from error
        found = [sample.pred_instances for sample in samples]
        points = np.concatenate([x.keypoints for x in found])
        return points, np.concatenate([x.keypoint_scores for x in found])


class TorchSeg:
    """A segmentation network in PyTorch, through MMSegmentation.

    Args:
        cfg: The config.
        model: Its model, with weights, in evaluation mode.
        facts: What :func:`~litehrnet_mm.deploy.metadata.describe` tells.
    """

    def __init__(self, cfg: Config, model: Any, facts: dict[str, Any]) -> None:
        self.model = model
        self.model.cfg = cfg
        self.classes, self.palette = facts['classes'], facts['palette']

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Label each pixel; see :meth:`litehrnet_mm.runtime.SegRuntime.__call__`.

        Raises:
            ImageError: If OpenCV cannot bring the image to the size of the network.
        """
        from mmseg.apis import inference_model

        try:
            with DefaultScope.overwrite_default_scope('mmseg'):
                found = inference_model(self.model, image).pred_sem_seg.data
        except cv2.error as error:
            raise ImageError(
                f'{image.shape[1]}x{image.shape[0]} pixels (width x height) cannot be '
                "resized as the config's test pipeline says"
            ) from error
        return found[0].cpu().numpy().astype(np.uint8)


Network = Union[PoseRuntime, SegRuntime, TorchPose, TorchSeg]


def takes_boxes(network: Network) -> bool:
    """Whether it is for poses."""
    return isinstance(network, (PoseRuntime, TorchPose))


def split_model(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell the network from its inputs on a command line.

    Args:
        words: An ONNX file, or a config and a checkpoint, and then inputs.

    Returns:
        Those of the network, and the inputs.

    Raises:
        UserError: If they are neither, or nothing is left to predict on.
    """
    kind = Path(words[0]).suffix
    if kind not in ('.onnx', '.py'):
        raise UserError(
            f'first name an .onnx file, or a config (.py) and its checkpoint; got '
            f'{words[0]}'
        )
    count = 1 if kind == '.onnx' else 2
    if len(words) <= count:
        needed = 'an input' if kind == '.onnx' else 'a checkpoint and an input'
        raise UserError(f'{words[0]} needs {needed} after it')
    return list(words[:count]), list(words[count:])


def open_exported(path: Path, threads: int = 0) -> PoseRuntime | SegRuntime:
    """Open an exported file for whatever task it is, once it has been looked through.

    Args:
        path: The file.
        threads: Threads of the CPU; 0 leaves it to ONNX Runtime.

    Raises:
        UserError: If it cannot be used, or is hostile.
    """
    if os.path.isfile(path):  # pathlib's raises an error for long names
        check_onnx(path)
    try:
        return open_runtime(path, threads=threads)
    except ValueError as error:
        raise UserError(str(error)) from error


def open_network(
    model: Sequence[str], options: dict | None = None, device: str | None = None
) -> Network:
    """Open a network.

    Args:
        model: An ONNX file, or a config and a checkpoint.
        options: Settings that override the config.
        device: Of PyTorch; a GPU if there is one, if not given.

    Raises:
        UserError: If it cannot be opened.
    """
    if len(model) == 1:
        if options or device:
            raise UserError(
                f'--cfg-options and --device are for a config and its checkpoint, and '
                f'{model[0]} is an ONNX file'
            )
        return open_exported(Path(model[0]))
    path, checkpoint = model
    cfg = load_config(path, options or {})
    net = load_model(cfg, path, checkpoint)
    device = device or default_device()
    try:
        net.to(device)
    except RuntimeError as error:
        raise UserError(f'--device {device} cannot be used: {error}') from error
    facts = describe(cfg, input_size(cfg, path))
    kind = TorchSeg if is_segmentation(cfg) else TorchPose
    return kind(cfg, net, facts)
