"""COCO keypoints at 256x192 with the recipe of the official Lite-HRNet repository.

Of MMPose's own Lite-HRNet recipe, which this inherits, one thing differs: the learning
rate is the official 2e-3, not 5e-4. Augmentation, schedule and batch size (8x64) are
the same in both.
"""

_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'  # noqa: E501

# Also lets MMPose's own tools find this package's registry and compatibility layer.
custom_imports = dict(imports=['litehrnet_mm'], allow_failed_imports=False)

model = dict(
    backbone=dict(_delete_=True, type='litehrnet_mm.LiteHRNet', arch='litehrnet-18')
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
