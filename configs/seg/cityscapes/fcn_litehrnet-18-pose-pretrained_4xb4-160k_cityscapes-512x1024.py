_base_ = './fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'

# Any checkpoint of a pose estimator; MMPose's of COCO at 384x288 if none is named.
checkpoint = '{{$POSE_CHECKPOINT:https://download.openmmlab.com/mmpose/top_down/litehrnet/litehrnet18_coco_384x288-8d4dac48_20211230.pth}}'
model = dict(
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone.')
    )
)
