_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/custom_512x512.py',
    '../_base_/schedules/20k_small-data.py',
    './classes.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=len(_base_.metainfo.classes)),
)
train_dataloader = dict(dataset=dict(metainfo=_base_.metainfo))
val_dataloader = test_dataloader = dict(dataset=dict(metainfo=_base_.metainfo))
