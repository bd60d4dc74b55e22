"""Hands of COCO-WholeBody at 256x256, with MMPose's recipe, the only published one.

The images are COCO's, in the folder that COCO_ROOT names, else in data/coco.
"""

_base_ = [
    'mmpose::hand_2d_keypoint/topdown_heatmap/coco_wholebody_hand/td-hm_litehrnet-w18_8xb32-210e_coco-wholebody-hand-256x256.py',
    './official.py',
    './coco_data.py',
]

data_root = _base_.coco_root

model = dict(
    backbone=dict(_delete_=True, type='litehrnet_mm.LiteHRNet', arch='litehrnet-18')
)
train_dataloader = dict(dataset=_base_.coco_train)
val_dataloader = dict(dataset=_base_.coco_train)
test_dataloader = val_dataloader
