_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_320k.py',
]
