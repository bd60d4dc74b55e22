_base_ = [
    'mmseg::_base_/models/lraspp_m-v3-d8.py',
    '../_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(data_preprocessor=dict(size=(512, 1024)))
