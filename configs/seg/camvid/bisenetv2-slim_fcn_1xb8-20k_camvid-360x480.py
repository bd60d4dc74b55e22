_base_ = './bisenetv2_fcn_1xb8-20k_camvid-360x480.py'

# Channels so narrow that it multiplies as much as Lite-HRNet-18.
slim = zip(_base_.model.auxiliary_head, (8, 12, 24, 40), (8, 20, 80, 320))
model = dict(
    backbone=dict(
        detail_channels=(20, 20, 40), semantic_channels=(8, 12, 24, 40), bga_channels=40
    ),
    decode_head=dict(in_channels=40, channels=160),
    auxiliary_head=[dict(aux, in_channels=c, channels=n) for aux, c, n in slim],
)
del slim
