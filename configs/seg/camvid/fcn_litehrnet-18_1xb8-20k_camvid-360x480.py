_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/schedules/20k_small-data.py',
]

model = dict(
    data_preprocessor=dict(size=(360, 480), seg_pad_val=_base_.void),
    decode_head=dict(
        num_classes=11, ignore_index=_base_.void, loss_decode=_base_.losses
    ),
)
