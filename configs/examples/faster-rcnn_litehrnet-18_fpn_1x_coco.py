"""MMDetection: Faster R-CNN with an FPN over the four branches.

`mim train mmdet` this file, with COCO's images and annotations in data/coco.
"""

_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'

custom_imports = dict(imports=['litehrnet_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='litehrnet_mm.LiteHRNet',
        arch='litehrnet-18',
        out_indices=(0, 1, 2, 3),
        with_head=False,
    ),
    neck=dict(in_channels=[40, 80, 160, 320]),
)
