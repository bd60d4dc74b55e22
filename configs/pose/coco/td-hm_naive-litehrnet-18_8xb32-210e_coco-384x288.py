_base_ = '../_base_/coco_384x288.py'

model = dict(backbone=dict(arch='naive-litehrnet-18'), head=dict(in_channels=30))
