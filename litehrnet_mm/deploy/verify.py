"""The proof that an exported file computes what the model does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import torch

from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.deploy.graphs import ExportedModel, Normalisation
from litehrnet_mm.deploy.plan import Plan
from litehrnet_mm.runtime.model import open_backend

TOLERANCE = {'fp32': 1e-4, 'fp16': 2e-2}
"""Greatest difference, relative to the greatest value."""

KEYPOINT_TOLERANCE = 0.05
"""In pixels of the input."""

LABEL_TOLERANCE = 1e-4
"""Share of pixels that may have another class."""

PHOTOGRAPH = 'sample_data/grace_hopper.jpg'
"""A picture that comes with Matplotlib."""


def sample_images(size: tuple[int, int], batch: int = 1) -> Iterator[np.ndarray]:
    """Three batches of random images and one of a photograph.

    Args:
        size: Height and width, in pixels.
        batch: Images of a batch.

    Yields:
        BGR uint8, of shape ``(batch, H, W, 3)``.
    """
    random = np.random.default_rng(0)
    for _ in range(3):
        yield random.integers(0, 256, (batch, *size, 3), dtype=np.uint8)
    photograph = cv2.imread(f'{matplotlib.get_data_path()}/{PHOTOGRAPH}')
    resized = cv2.resize(photograph, size[::-1], interpolation=cv2.INTER_AREA)
    yield np.stack([resized, resized[:, ::-1]] * batch)[:batch]


def model_input(
    images: np.ndarray, preprocessor: dict[str, Any], plan: Plan
) -> np.ndarray:
    """What a file takes, made of images ``(N, H, W, 3)``, BGR uint8."""
    if plan.wanted.preprocess:
        return images
    return Normalisation(preprocessor)(torch.from_numpy(images)).numpy()


def verify(
    path: Path, reference: ExportedModel, preprocessor: dict[str, Any], plan: Plan
) -> float:
    """Compare ONNX Runtime with PyTorch, at all sizes that the file should take.

    Args:
        path: The file.
        reference: The original model.
        preprocessor: The ``data_preprocessor`` of its config.
        plan: How the file was written.

    Returns:
        The greatest difference: see :func:`difference`.

    Raises:
        UserError: If it is more than may be, or the file does not run.
    """
    run = open_backend(path, 'onnxruntime')
    worst = 0.0
    for batch, size in _shapes(plan, reference):
        for images in sample_images(size, batch):
            x = model_input(images, preprocessor, plan)
            with torch.no_grad():
                expected = [y.numpy() for y in reference(torch.from_numpy(x))]
            try:
                found = run(x)
            except Exception as error:  # of many kinds, all the runtime's
                raise UserError(
                    f'the exported graph does not run on {x.shape}: {one_line(error)}'
                ) from error
            for k, name in enumerate(reference.outputs):
                y, wanted = found[k], expected[k]
                apart, allowed = difference(name, y, wanted, plan.precision)
                if not apart <= allowed:  # NaN is too much, too
                    raise UserError(
                        f'the exported graph computes something else: {name} differs '
                        f'by {apart:.2g} on {x.shape}, and {allowed:.2g} is allowed; '
                        'no file was written, and one from before stays'
                    )
                worst = max(worst, apart)
    return worst


def difference(
    name: str, found: np.ndarray, expected: np.ndarray, precision: str
) -> tuple[float, float]:
    """How far an output is from what it should be, and how far it may be.

    Args:
        name: Of the output. Keypoints are compared in pixels, labels by the share of
            pixels that have another, all else relative to the greatest value.
        found: From the file.
        expected: From the model.
        precision: ``'fp32'`` or ``'fp16'``.
    """
    if found.shape != expected.shape:
        return float('inf'), 0
    if name == 'labels':
        return float((found != expected).mean()), LABEL_TOLERANCE
    apart = np.abs(found - expected).max()
    if name == 'keypoints':
        return float(apart), KEYPOINT_TOLERANCE
    return float(apart / np.abs(expected).max()), TOLERANCE[precision]


def _shapes(
    plan: Plan, reference: ExportedModel
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Batches and sizes to try."""
    yield 1, plan.size
    if plan.dynamic:
        yield 3, plan.size
    if plan.dynamic == 'all':
        yield 1, _other_size(plan, reference)


def _other_size(plan: Plan, reference: ExportedModel) -> tuple[int, int]:
    """A size that the network takes, as odd as it may be.

    Raises:
        UserError: If it takes no other.
    """
    height, width = plan.size
    # Windows and upsampled pixels are cut off in the first; some networks take
    # multiples of their coarsest stride only.
    odd = (height + 9, width - 7 if width > 64 else width + 7)
    for size in (odd, (height + 64, width + 32)):
        shape = (1, *size, 3) if plan.wanted.preprocess else (1, 3, *size)
        kind = torch.uint8 if plan.wanted.preprocess else torch.float32
        try:
            with torch.no_grad():
                reference(torch.zeros(shape, dtype=kind))
        except RuntimeError as error:
            refused = error
        else:
            return size
    raise UserError(
        f'the network takes no size but {height}x{width}, so --dynamic all cannot be: '
        f'{one_line(refused)}'
    ) from refused
