"""HRNet-W18-small from scratch: MMSegmentation's, without its ImageNet weights."""

_base_ = 'mmseg::_base_/models/fcn_hr18.py'

model = dict(
    pretrained=None,
    backbone=dict(
        extra=dict(
            stage1=dict(num_blocks=(2,)),
            stage2=dict(num_blocks=(2, 2)),
            stage3=dict(num_modules=3, num_blocks=(2, 2, 2)),
            stage4=dict(num_modules=2, num_blocks=(2, 2, 2, 2)),
        )
    ),
)
