_base_ = [
    '../_base_/models/fcn_litehrnet_iterative-head.py',
    '../_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(backbone=dict(arch='litehrnet-30'))
