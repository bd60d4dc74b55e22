_base_ = '../_base_/mpii_256x256.py'

model = dict(backbone=dict(arch='naive-litehrnet-18'), head=dict(in_channels=30))
