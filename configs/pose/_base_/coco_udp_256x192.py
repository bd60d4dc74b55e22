"""COCO keypoints at 256x192 with unbiased data processing (UDP) and DARK decoding.

MMPose's `UDPHeatmap` always refines what it decodes as DARK does, so that UDP and
UDP + DARK are one and the same in MMPose 1.x.
"""

_base_ = './coco_256x192.py'

codec = dict(type='UDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
model = dict(head=dict(decoder=codec), test_cfg=dict(shift_heatmap=False))

affine = dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True)
train_pipeline = [
    *_base_.coco_augmentation,
    affine,
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    affine,
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
