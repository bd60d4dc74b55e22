_base_ = '../_base_/coco_256x192.py'

codec = dict(_base_.codec, unbiased=True)
model = dict(head=dict(decoder=codec))
train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
