"""COCO keypoints at 384x288, with the recipe of the official repository."""

_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_litehrnet-18_8xb32-210e_coco-384x288.py',
    './official.py',
    './coco_data.py',
]

data_root = _base_.coco_root

model = dict(
    backbone=dict(_delete_=True, type='litehrnet_mm.LiteHRNet', arch='litehrnet-18')
)
optim_wrapper = dict(optimizer=dict(lr=_base_.lr))

train_pipeline = [
    *_base_.coco_augmentation,
    dict(type='TopdownAffine', input_size=_base_.codec.input_size),
    dict(type='GenerateTarget', encoder=_base_.codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(**_base_.coco_train, pipeline=train_pipeline))
val_dataloader = dict(dataset=_base_.coco_val)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=_base_.coco_val_ann)
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=256)
