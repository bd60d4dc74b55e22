"""ShuffleNetV2 with three deconvolutions, from ImageNet weights, as MMPose has it."""

shufflenetv2 = dict(
    backbone=dict(
        _delete_=True,
        type='ShuffleNetV2',
        widen_factor=1.0,
        init_cfg=dict(type='Pretrained', checkpoint='mmcls://shufflenet_v2'),
    ),
    head=dict(
        in_channels=1024,
        deconv_out_channels=(256, 256, 256),
        deconv_kernel_sizes=(4, 4, 4),
    ),
)
