_base_ = '../_base_/coco_udp_256x192.py'

model = dict(backbone=dict(arch='wider-naive-litehrnet-18'))
