_base_ = '../_base_/coco_256x192.py'

model = dict(backbone=dict(arch='naive-litehrnet-18'), head=dict(in_channels=30))
