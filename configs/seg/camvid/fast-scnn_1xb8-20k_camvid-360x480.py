_base_ = [
    'mmseg::_base_/models/fast_scnn.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/schedules/20k_small-data.py',
]

labels = dict(num_classes=11, ignore_index=_base_.void)
model = dict(
    data_preprocessor=dict(size=(360, 480), seg_pad_val=_base_.void),
    decode_head=dict(labels, loss_decode=_base_.losses),
    auxiliary_head=[dict(head, **labels) for head in _base_.model.auxiliary_head],
)
