"""Keypoints of your own, in COCO's format, at 256x192: fine-tuning from COCO weights.

The data are in the folder that CUSTOM_ROOT names, else in data/custom:
annotations/train.json, annotations/val.json and images/.
"""

_base_ = './coco_256x192.py'

custom_root = '{{$CUSTOM_ROOT:data/custom}}/'
train_data = dict(
    data_root=custom_root,
    ann_file='annotations/train.json',
    data_prefix=dict(img='images/'),
)
val_data = dict(train_data, ann_file='annotations/val.json', bbox_file=None)

train_dataloader = dict(dataset=train_data)
val_dataloader = dict(dataset=val_data)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=custom_root + val_data['ann_file'])
test_evaluator = val_evaluator

# A quarter of COCO's rate and a third of its epochs, for weights that know people.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=70, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=100, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=70, milestones=[50, 65], gamma=0.1),
]
