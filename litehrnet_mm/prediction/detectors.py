"""Networks that find persons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope

from litehrnet_mm.checkpoints.compare import check_fits
from litehrnet_mm.checkpoints.files import is_local, read_checkpoint
from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.engine.building import build_model, default_device
from litehrnet_mm.prediction.boxes import Boxes
from litehrnet_mm.prediction.onnx_detector import OnnxBoxes
from litehrnet_mm.runtime.model import ImageError


def open_detector(
    words: Sequence[str], min_score: float, device: str | None = None
) -> Boxes:
    """Open a detector.

    Args:
        words: An ONNX file, or a config and a checkpoint of MMDetection.
        min_score: Boxes below this score are left out.
        device: Of PyTorch; a GPU if there is one, if not given.

    Raises:
        UserError: If it is neither, or cannot be opened.
    """
    onnx = [word for word in words if word.endswith('.onnx')]
    if len(words) != 2 - bool(onnx):
        raise UserError(
            '--detector takes an .onnx file, or a config and its checkpoint; got '
            f'{" ".join(words)}'
        )
    if onnx:
        return OnnxBoxes(Path(onnx[0]), min_score)
    return DetectorBoxes(*words, min_score, device)


class DetectorBoxes(Boxes):
    """Boxes that a network of MMDetection finds.

    Args:
        config: Its config; ``mmdet::`` is MMDetection's own.
        checkpoint: Its weights: a file, or what MMEngine downloads.
        min_score: Boxes below this score are left out.
        device: Of PyTorch; a GPU if there is one, if not given.

    Raises:
        UserError: If it cannot be opened, or does not know persons.
    """

    def __init__(
        self, config: str, checkpoint: str, min_score: float, device: str | None
    ) -> None:
        from mmdet.apis import init_detector

        device = device or default_device()
        try:
            cfg = get_config(config) if '::' in config else Config.fromfile(config)
            _check_detector(cfg, config, checkpoint)
            self.model = init_detector(cfg, checkpoint, device=device)
        except UserError:
            raise
        except Exception as error:  # of many kinds: files, registries, shapes
            raise UserError(
                f'detector {config} {checkpoint} cannot be opened: {one_line(error)}'
            ) from error
        classes = self.model.dataset_meta.get('classes', ())
        if 'person' not in classes:
            raise UserError(f'detector {config} knows no class "person": {classes}')
        self.person = list(classes).index('person')
        self.min_score = min_score

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """Boxes ``(N, 5)`` of the persons in an image.

        Raises:
            ImageError: If OpenCV cannot bring the image to the size of the network.
        """
        from mmdet.apis import inference_detector

        try:
            with DefaultScope.overwrite_default_scope('mmdet'):
                found = inference_detector(self.model, image).pred_instances
        except cv2.error as error:
            raise ImageError(
                f'{image.shape[1]}x{image.shape[0]} pixels (width x height) cannot be '
                "resized as the detector's test pipeline says"
            ) from error
        found = found.cpu().numpy()
        kept = (found.labels == self.person) & (found.scores >= self.min_score)
        return np.column_stack((found.bboxes[kept], found.scores[kept]))


def _check_detector(cfg: Config, path: str, checkpoint: str) -> None:
    """MMDetection takes any weights for any network, and finds nothing with them.

    Raises:
        UserError: If the config is no detector's, or the weights are another's.
    """
    scope = cfg.get('default_scope')
    if scope != 'mmdet':
        raise UserError(f'--detector {path} is a config of {scope}, not of mmdet')
    if is_local(checkpoint):
        content = read_checkpoint(checkpoint)
        check_fits(checkpoint, content, build_model(cfg, path), listing=False)
