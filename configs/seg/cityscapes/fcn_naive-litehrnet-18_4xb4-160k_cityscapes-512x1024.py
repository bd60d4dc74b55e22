_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(
    backbone=dict(arch='naive-litehrnet-18'),
    decode_head=dict(in_channels=[30, 60, 120, 240]),
)
