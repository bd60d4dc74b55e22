"""Lite-HRNet-18 for segmentation in the paper's form, without the iterative head.

All four branches are resized to the finest, joined and classified by a 1x1
convolution, which BranchwiseFCNHead computes at each branch's own resolution. SyncBN
becomes BN where one process runs.
"""

norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 1024),
    ),
    backbone=dict(
        type='litehrnet_mm.LiteHRNet',
        arch='litehrnet-18',
        out_indices=(0, 1, 2, 3),
        with_head=False,
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type='litehrnet_mm.BranchwiseFCNHead',
        in_channels=[40, 80, 160, 320],
        in_index=[0, 1, 2, 3],
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
