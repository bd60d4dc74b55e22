_base_ = [
    '../_base_/models/fcn_small-hrnet-w16.py',
    '../_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]
