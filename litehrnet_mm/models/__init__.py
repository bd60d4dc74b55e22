"""The networks: plain PyTorch and mmcv, without MMPose or MMSegmentation."""

from litehrnet_mm.models.litehrnet import LiteHRNet

__all__ = ['LiteHRNet']
