"""Synthetic streets at 128x256: trains from nothing in a few minutes on two cores.

They are in the folder that STREETS_ROOT names, else in data/synthetic_streets.
"""

_base_ = [
    './models/fcn_litehrnet.py',
    './datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_20k.py',
]

streets_root = data_root = '{{$STREETS_ROOT:data/synthetic_streets}}/'
max_iters = 2000

# Whole images as they are: in so short a training augmentation would not pay.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
losses = [
    dict(type='CrossEntropyLoss', loss_name='loss_ce', loss_weight=1.0),
    dict(type='DiceLoss', loss_name='loss_dice', loss_weight=1.0),
]
model = dict(
    data_preprocessor=dict(size=(128, 256)),
    decode_head=dict(dropout_ratio=0, loss_decode=losses),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-3, weight_decay=0.01, fused=True)
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=40, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR', begin=0, end=max_iters, eta_min=2e-5, by_epoch=False
    ),
]
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(interval=max_iters, max_keep_ckpts=1),
)
randomness = dict(seed=0)
