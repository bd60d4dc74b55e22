_base_ = './fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'

# While training, each branch is classified on its own as well.
head = dict(
    **dict(type='FCNHead', channels=64, num_convs=2, concat_input=False),
    **dict(num_classes=11, ignore_index=11, align_corners=False),
    norm_cfg=dict(type='SyncBN', requires_grad=True),
    loss_decode=dict(type='CrossEntropyLoss'),
)
model = dict(
    auxiliary_head=[dict(head, in_index=i, in_channels=40 * 2**i) for i in range(4)]
)
