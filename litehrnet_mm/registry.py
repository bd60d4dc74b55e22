"""Child registries of MMEngine's, so that ``type='litehrnet_mm.X'`` needs no import.

MMEngine imports ``<scope>.registry`` when it meets a scope it does not know, and the
``locations`` of a registry when it is first searched. That is all it takes for
``litehrnet_mm.LiteHRNet`` to resolve from MMPose, MMSegmentation, MMDetection and
MMPretrain.

With ``mmcv-lite`` the first three cannot import their own models until ``litehrnet_mm``
is imported (see :mod:`litehrnet_mm.compat`). Configs that have to run there say so:
``custom_imports = dict(imports=['litehrnet_mm'])``.
"""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
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
    locations=[
        'litehrnet_mm.engine.hooks',
        'litehrnet_mm.engine.drawing',
        'litehrnet_mm.engine.checkpointing',
        'litehrnet_mm.engine.guards',
        'litehrnet_mm.engine.preemption',
        'litehrnet_mm.engine.resuming',
    ],
)
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='litehrnet_mm',
    locations=['litehrnet_mm.evaluation.coco_submission'],
)
