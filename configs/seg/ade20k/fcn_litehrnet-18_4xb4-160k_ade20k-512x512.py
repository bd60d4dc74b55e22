_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/ade20k_512x512.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=150),
)
