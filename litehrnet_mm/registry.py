"""Child registries of MMEngine's, so that ``type='litehrnet_mm.X'`` needs no import.

MMEngine imports ``<scope>.registry`` when it meets a scope it does not know, and the
``locations`` of a registry when it is first searched. That is all it takes for
``litehrnet_mm.LiteHRNet`` to resolve from MMPose, MMSegmentation, MMDetection and
MMPretrain.
"""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='litehrnet_mm',
    locations=['litehrnet_mm.models'],
)
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='litehrnet_mm',
    locations=['litehrnet_mm.engine.hooks'],
)
