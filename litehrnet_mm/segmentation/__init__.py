"""What MMSegmentation lacks for Lite-HRNet.

Imported by configs (``custom_imports``), not by the registry: networks for MMPose must
not need MMSegmentation.
"""

from litehrnet_mm.segmentation.branchwise_head import BranchwiseFCNHead

__all__ = ['BranchwiseFCNHead']
