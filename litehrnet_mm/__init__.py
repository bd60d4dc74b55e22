"""Lite-HRNet for OpenMMLab 2.x: MMPose, MMSegmentation and everything on MMEngine."""

from litehrnet_mm.compat import apply_compat
from litehrnet_mm.version import __version__

apply_compat()

__all__ = ['__version__']
