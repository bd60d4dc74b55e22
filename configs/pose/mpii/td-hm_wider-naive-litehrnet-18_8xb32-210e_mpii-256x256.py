_base_ = '../_base_/mpii_256x256.py'

model = dict(backbone=dict(arch='wider-naive-litehrnet-18'))
