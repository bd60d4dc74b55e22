"""MMSegmentation: UPerNet on the four branches."""

_base_ = [
    '../seg/_base_/datasets/cityscapes_512x1024.py',
    'mmseg::_base_/models/upernet_r50.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='litehrnet_mm.LiteHRNet',
        arch='litehrnet-18',
        norm_cfg=dict(type='SyncBN'),
        out_indices=(0, 1, 2, 3),
        with_head=False,
    ),
    decode_head=dict(in_channels=[40, 80, 160, 320], channels=128),
    auxiliary_head=dict(in_channels=160),
)
