"""Lite-HRNet-18 with its iterative head, and an FCN head on the finest branch."""

_base_ = './fcn_litehrnet.py'

model = dict(
    backbone=dict(out_indices=(0,), with_head=True),
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=40,
        in_index=0,
        channels=40,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        num_classes=19,
        norm_cfg=_base_.norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
