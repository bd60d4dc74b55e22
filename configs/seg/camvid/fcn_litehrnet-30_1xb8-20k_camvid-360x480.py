_base_ = './fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'

model = dict(backbone=dict(arch='litehrnet-30'))
