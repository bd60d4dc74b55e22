"""Exported files at work: NumPy, OpenCV and ONNX Runtime, nothing else.

Neither PyTorch nor anything of OpenMMLab is imported.

Example:
    >>> from litehrnet_mm.runtime import PoseRuntime  # doctest: +SKIP
    >>> pose = PoseRuntime('litehrnet-18.onnx')  # doctest: +SKIP
    >>> keypoints, scores = pose(cv2.imread('photo.jpg'), boxes)  # doctest: +SKIP
"""

from litehrnet_mm.runtime.pose import PoseRuntime
from litehrnet_mm.runtime.segmentation import SegRuntime

__all__ = ['PoseRuntime', 'SegRuntime']
