"""COCO keypoints at 256x192 with a SimCC head: coordinates as classification."""

_base_ = [
    'mmpose::body_2d_keypoint/simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192.py',
    './official.py',
    './coco_data.py',
]

data_root = _base_.coco_root

model = dict(
    backbone=dict(_delete_=True, type='litehrnet_mm.LiteHRNet', arch='litehrnet-18'),
    head=dict(in_channels=40, in_featuremap_size=(48, 64)),
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
