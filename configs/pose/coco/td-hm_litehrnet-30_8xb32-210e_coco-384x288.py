_base_ = '../_base_/coco_384x288.py'

model = dict(backbone=dict(arch='litehrnet-30'))
