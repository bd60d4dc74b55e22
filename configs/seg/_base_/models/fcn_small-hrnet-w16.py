"""Small HRNet-W16 under the same head as Lite-HRNet."""

_base_ = ['./fcn_litehrnet.py', '../../../pose/_base_/models/small-hrnet-w16.py']

model = dict(
    backbone=dict(**_base_.small_hrnet_w16.backbone, norm_cfg=_base_.norm_cfg),
    decode_head=dict(in_channels=[16, 32, 64, 128]),
)
