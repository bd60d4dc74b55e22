"""COCO and AI Challenger together at 256x192, with UDP: PP-TinyPose's route.

AI Challenger's limbs serve as COCO's, by MMPose's mapping; its head and neck have no
place there. Evaluated on COCO. AI Challenger is in the folder that AIC_ROOT names,
else in data/aic.
"""

_base_ = './coco_udp_256x192.py'

aic_root = '{{$AIC_ROOT:data/aic}}/'

coco = dict(
    type='CocoDataset',
    data_root=_base_.coco_root,
    ann_file='annotations/person_keypoints_train2017.json',
    data_prefix=dict(img='train2017/'),
)
# Shoulder, elbow, wrist of the right and of the left; then hip, knee, ankle likewise.
limbs = (6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15)
aic = dict(
    type='AicDataset',
    data_root=aic_root,
    ann_file='annotations/aic_train.json',
    data_prefix=dict(
        img='ai_challenger_keypoint_train_20170902/keypoint_train_images_20170902/'
    ),
    pipeline=[
        dict(type='KeypointConverter', num_keypoints=17, mapping=[*enumerate(limbs)])
    ],
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        datasets=[coco, aic],
        pipeline=_base_.train_pipeline,
    )
)
