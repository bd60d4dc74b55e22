"""MMPretrain: a classifier of ImageNet on the coarsest branch, averaged.

`mim train mmpretrain` this file, with ImageNet in data/imagenet.
"""

_base_ = [
    'mmpretrain::_base_/datasets/imagenet_bs128_mbv3.py',
    'mmpretrain::_base_/schedules/imagenet_bs1024_linearlr_bn_nowd.py',
    'mmpretrain::_base_/default_runtime.py',
]

custom_imports = dict(imports=['litehrnet_mm'], allow_failed_imports=False)
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='litehrnet_mm.LiteHRNet',
        arch='litehrnet-18',
        out_indices=(3,),
        with_head=False,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=320,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5),
    ),
)
