"""MMSegmentation's runtime, with this package and its decode head."""

_base_ = 'mmseg::_base_/default_runtime.py'

custom_imports = dict(
    imports=['litehrnet_mm', 'litehrnet_mm.segmentation'], allow_failed_imports=False
)
