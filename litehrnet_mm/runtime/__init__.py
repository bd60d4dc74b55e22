"""Exported files at work: NumPy, OpenCV and ONNX Runtime, nothing else.

Neither PyTorch nor anything of OpenMMLab is imported.

Example:
    >>> from litehrnet_mm.runtime import PoseRuntime  # doctest: +SKIP
    >>> pose = PoseRuntime('litehrnet-18.onnx')  # doctest: +SKIP
    >>> keypoints, scores = pose(cv2.imread('photo.jpg'), boxes)  # doctest: +SKIP
"""

import os
from typing import Any

from litehrnet_mm.runtime.model import RuntimeModel
from litehrnet_mm.runtime.pose import PoseRuntime
from litehrnet_mm.runtime.segmentation import SegRuntime
from litehrnet_mm.runtime.trial import check_works

__all__ = ['PoseRuntime', 'SegRuntime', 'open_runtime']


def open_runtime(path: str | os.PathLike, **settings: Any) -> PoseRuntime | SegRuntime:
    """Open a file for the task that it is for, and let it compute once.

    Args:
        path: A file that ``tools/export_onnx.py`` wrote.
        **settings: Those of :class:`~litehrnet_mm.runtime.model.RuntimeModel`.

    Raises:
        ValueError: If the file cannot be used.
    """
    task = RuntimeModel(path).facts['task']
    network = (PoseRuntime if task == 'pose' else SegRuntime)(path, **settings)
    check_works(network, path)
    return network
