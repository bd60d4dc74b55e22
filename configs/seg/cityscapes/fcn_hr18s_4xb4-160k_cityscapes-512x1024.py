_base_ = [
    '../_base_/models/fcn_hr18s.py',
    '../_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(data_preprocessor=dict(size=(512, 1024)))
