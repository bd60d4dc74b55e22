"""Boxes that an exported detector finds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from litehrnet_mm.checking.coco_file import read_json
from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.boxes import Boxes
from litehrnet_mm.prediction.onnx_check import check_onnx
from litehrnet_mm.prediction.onnx_run import open_limited
from litehrnet_mm.runtime.facts import LEAST_STD, MOST_PIXELS
from litehrnet_mm.runtime.model import ImageError, is_one_image, said_by_runtime
from litehrnet_mm.values import is_number, listed, shown

OUTPUTS = {'dets', 'labels'}
SIDE = 640
"""Of the input where the file takes any, in pixels."""


@dataclass(frozen=True)
class Preparation:
    """What is done to an image; the defaults are those of RTMDet (Lyu et al., 2022).

    Attributes:
        mean: Of each channel, in the order of the network's.
        std: The same.
        to_rgb: The network takes RGB, not BGR.
        padding: The value around an image of another aspect ratio.
    """

    mean: tuple[float, ...] = (103.53, 116.28, 123.675)
    std: tuple[float, ...] = (57.375, 57.12, 58.395)
    to_rgb: bool = False
    padding: int = 114

    @classmethod
    def read(cls, path: Path) -> Preparation:
        """Read the ``pipeline.json`` that MMDeploy writes beside its files.

        Raises:
            UserError: If the file cannot be read as one.
        """
        content = read_json(path, 'pipeline')
        try:
            steps = {step['type']: step for step in _transforms(content)}
            found: dict[str, Any] = {}
            if 'Normalize' in steps:
                step = steps['Normalize']
                found['mean'] = tuple(map(float, step['mean']))
                found['std'] = tuple(map(float, step['std']))
                found['to_rgb'] = bool(step.get('to_rgb', False))
            if 'Pad' in steps:
                value = steps['Pad'].get('pad_val', 0)
                value = value.get('img', 0) if isinstance(value, dict) else value
                found['padding'] = int(value[0] if isinstance(value, list) else value)
        except Exception as error:  # where anything may be anything
            raise UserError(
                f"{path} cannot be read as MMDeploy's pipeline: {_said(error)}"
            ) from error
        preparation = cls(**found)
        preparation.check(path)
        return preparation

    def check(self, path: Path) -> None:
        """Refuse numbers with which no image becomes an input.

        Raises:
            UserError: If there are others than three of each, or they are no numbers
                of colours.
        """
        numbers = (*self.mean, *self.std)
        three = len(self.mean) == len(self.std) == 3
        sound = three and all(map(is_number, numbers))
        if not sound or min(self.std) < LEAST_STD:
            raise UserError(
                f'{path}: mean and std of Normalize must be three numbers each, those '
                f'of std at least {LEAST_STD:g}, got {listed(numbers, 6)}'
            )
        if not 0 <= self.padding <= 255:
            raise UserError(
                f'{path}: pad_val of Pad must be from 0 to 255, got '
                f'{shown(self.padding)}'
            )


def _said(error: Exception) -> str:
    return shown(f'{type(error).__name__}: {error}', 200)


def _transforms(content: dict) -> Iterator[dict]:
    for task in content['pipeline']['tasks']:
        yield from task.get('transforms', ())


class OnnxBoxes(Boxes):
    """Boxes from an ONNX file as MMDeploy exports detectors of MMDetection.

    It takes an image ``(1, 3, H, W)`` and gives ``dets`` ``(1, N, 5)``: left, top,
    right, bottom, score, and ``labels`` ``(1, N)``, of which COCO's first, 0, are
    persons. A ``pipeline.json`` beside it says how images are normalised.

    Args:
        path: The file.
        min_score: Boxes below this score are left out.

    Raises:
        UserError: If it cannot be opened, or is no such file.
    """

    def __init__(self, path: Path, min_score: float) -> None:
        if not os.path.isfile(path):  # pathlib's raises an error for long names
            raise UserError(f'no such detector: {path}')
        check_onnx(path, operators=None)
        try:
            self.session = open_limited(path)
        except Exception as error:  # of many kinds, all the runtime's
            raise UserError(
                f'detector {path} cannot be opened: {said_by_runtime(error)}'
            ) from error
        image = self._only_image(path)
        self.input, shape = image.name, image.shape
        self.size = tuple(n if isinstance(n, int) else SIDE for n in shape[:1:-1])
        if not 0 < self.size[0] * self.size[1] <= MOST_PIXELS:
            raise UserError(f'detector {path} takes images of {self.size} pixels')
        pipeline = path.with_name('pipeline.json')
        known = os.path.isfile(pipeline)
        self.preparation = Preparation.read(pipeline) if known else Preparation()
        self.min_score = min_score
        self._check_works(path)

    def _only_image(self, path: Path) -> onnxruntime.NodeArg:
        """What it takes.

        Raises:
            UserError: If that is not one image, or it does not give arrays of boxes
                and labels.
        """
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        arrays = {x.name for x in outputs if x.type.startswith('tensor')}
        if not arrays >= OUTPUTS or not is_one_image(inputs):
            raise UserError(
                f'detector {path} is not as MMDeploy exports them, from an image to '
                f'dets and labels: it gives {listed([x.name for x in outputs])}'
            )
        return inputs[0]

    def _check_works(self, path: Path) -> None:
        """Let it look at a grey image: a damaged file may well open.

        Raises:
            UserError: If it computes no boxes with scores and labels.
        """
        grey = np.full((*self.size[::-1], 3), 128, np.uint8)
        try:
            self('', grey)
        except ImageError as error:
            raise UserError(
                f'detector {path} is damaged, or not as MMDeploy exports them: {error}'
            ) from error

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """Boxes ``(N, 5)`` of the persons in an image.

        Raises:
            ImageError: If the detector cannot look at it.
        """
        try:
            x, scale = self._prepare(image)
            dets, labels = self.session.run(['dets', 'labels'], {self.input: x})
        except Exception as error:  # of many kinds, the runtime's and OpenCV's
            raise ImageError(
                f'the detector computes nothing: {said_by_runtime(error)}'
            ) from error
        boxes = dets.shape[:1] + dets.shape[2:] == (1, 5) and dets.dtype == np.float32
        labelled = labels.shape == dets.shape[:2] and labels.dtype.kind == 'i'
        if not boxes or not labelled or not np.isfinite(dets).all():
            raise ImageError(
                f'the detector gives dets {dets.shape} and labels {labels.shape}'
            )
        dets, labels = dets[0], labels[0]
        found = dets[(labels == 0) & (dets[:, 4] >= self.min_score)].copy()
        height, width = image.shape[:2]
        found[:, :4] = (found[:, :4] / scale).clip(0, [width, height, width, height])
        return found[(found[:, 2:4] > found[:, :2]).all(axis=1)]

    def _prepare(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """The network's input, and by how much the image became larger."""
        width, height = self.size
        scale = min(width / image.shape[1], height / image.shape[0])
        sides = (max(round(side * scale), 1) for side in image.shape[1::-1])
        small = cv2.resize(image, tuple(sides))
        how = self.preparation
        canvas = np.full((height, width, 3), how.padding, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        if how.to_rgb:
            canvas = canvas[..., ::-1]
        x = (canvas - np.array(how.mean, np.float32)) / np.array(how.std, np.float32)
        return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32), scale
