_base_ = '../seg/cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'

visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)
