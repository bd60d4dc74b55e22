"""Lite-HRNet for OpenMMLab 2.x: MMPose, MMSegmentation and everything on MMEngine.

Importing this makes OpenMMLab run on a current PyTorch and on mmcv-lite, see
:mod:`litehrnet_mm.compat`. It imports neither of them itself, so that
:mod:`litehrnet_mm.runtime` works where they are not installed.
"""

from litehrnet_mm.on_import import after_import
from litehrnet_mm.version import __version__


def _apply_compat() -> None:
    from litehrnet_mm.compat import apply_compat

    apply_compat()


after_import('mmengine', _apply_compat)

__all__ = ['__version__']
