_base_ = '../pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'

visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)
