"""MPII at 256x256, with the recipe of the official repository.

MPII is in the folder that MPII_ROOT names, else in data/mpii.
"""

_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_litehrnet-18_8xb64-210e_mpii-256x256.py',
    './official.py',
]

mpii_root = data_root = '{{$MPII_ROOT:data/mpii}}/'

model = dict(
    backbone=dict(_delete_=True, type='litehrnet_mm.LiteHRNet', arch='litehrnet-18')
)
optim_wrapper = dict(optimizer=dict(lr=_base_.lr))
auto_scale_lr = dict(base_batch_size=256)

train_pipeline = [
    *_base_.mpii_augmentation,
    dict(type='TopdownAffine', input_size=_base_.codec.input_size),
    dict(type='GenerateTarget', encoder=_base_.codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(
    batch_size=32, dataset=dict(data_root=mpii_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(
        data_root=mpii_root,
        headbox_file=mpii_root + 'annotations/mpii_gt_val.mat',
    )
)
test_dataloader = val_dataloader
