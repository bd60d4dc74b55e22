_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/cityscapes_test-server.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]
