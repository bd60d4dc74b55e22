"""MMPose: regression with RLE (Li et al., 2021) on the averaged coarsest branch."""

_base_ = (
    'mmpose::body_2d_keypoint/topdown_regression/coco/'
    'td-reg_res50_rle-8xb64-210e_coco-256x192.py'
)

custom_imports = dict(imports=['litehrnet_mm'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='litehrnet_mm.LiteHRNet',
        arch='litehrnet-18',
        out_indices=(3,),
        with_head=False,
    ),
    head=dict(in_channels=320),
)
