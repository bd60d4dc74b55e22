"""Whether a file computes what it says it does, found out before it is relied on."""

from __future__ import annotations

import os

import numpy as np

from litehrnet_mm.runtime.model import said_by_runtime
from litehrnet_mm.runtime.pose import PoseRuntime
from litehrnet_mm.runtime.segmentation import SegRuntime


def check_works(network: PoseRuntime | SegRuntime, path: str | os.PathLike) -> None:
    """Let a network look at noise of the size that it is for.

    ONNX has no sums, so a damaged file may well open. Here it shows if what the file
    tells of itself does not fit its graph, or weights are not finite.

    Args:
        network: The file, opened.
        path: Its name, for messages.

    Raises:
        ValueError: If it computes nothing, or what it should not.
    """
    shape = (*network.model.facts['input_size'], 3)
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    try:
        outputs = network.model.run(image[None])
        found = network(image)
    except Exception as error:  # of many kinds: the runtime's, NumPy's, OpenCV's
        raise ValueError(
            f'{path} opens, but computes nothing: {said_by_runtime(error)}'
        ) from error
    if not all(np.isfinite(values).all() for values in outputs):
        raise ValueError(
            f'{path} computes numbers that are not finite: its weights are damaged'
        )
    fault = _fault(network, found, shape)
    if fault:
        raise ValueError(f'{path} {fault}: what it tells of itself is of another file')


def _fault(
    network: PoseRuntime | SegRuntime,
    found: np.ndarray | tuple[np.ndarray, np.ndarray],
    shape: tuple[int, ...],
) -> str | None:
    """What is wrong with the results for one image of this shape, if anything is."""
    if isinstance(network, PoseRuntime):
        points, scores = found
        count = len(network.keypoints)
        if points.shape != (1, count, 2) or scores.shape != (1, count):
            return f'finds keypoints {points.shape}, and names {count}'
        finite = np.isfinite(points).all() and np.isfinite(scores).all()
        return None if finite else 'finds keypoints that are no numbers'
    if found.shape != shape[:2] or found.max() >= len(network.classes):
        classes = len(network.classes)
        return f'finds labels {found.shape} up to {found.max()}, and names {classes}'
    return None
