"""Synthetic people at 128x96: trains from nothing in a few minutes on two cores.

They are in the folder that SYNTHETIC_ROOT names, else in data/synthetic_people.
"""

_base_ = './coco_256x192.py'

synthetic_root = data_root = '{{$SYNTHETIC_ROOT:data/synthetic_people}}/'
train_ann = 'train/annotations/person_keypoints.json'
val_ann = 'val/annotations/person_keypoints.json'
max_epochs = 6

# A quarter of the usual pixels, so sharp targets in cells that UDP decodes between, and
# little room around the exact boxes. In so short a training augmentation would not pay.
codec = dict(
    type='UDPHeatmap',
    input_size=(96, 128),
    heatmap_size=(24, 32),
    sigma=1,
    blur_kernel_size=5,
)
model = dict(head=dict(decoder=codec), test_cfg=dict(shift_heatmap=False))

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.1),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.1),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    drop_last=True,
    dataset=dict(
        data_root=data_root,
        ann_file=train_ann,
        data_prefix=dict(img='train/images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file=val_ann,
        bbox_file=None,
        data_prefix=dict(img='val/images/'),
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + val_ann)
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=max_epochs,
        eta_min=2e-5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=1, max_keep_ckpts=1)
)
auto_scale_lr = dict(base_batch_size=32)
randomness = dict(seed=0)
