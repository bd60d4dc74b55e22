_base_ = './fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'

model = dict(test_cfg=dict(mode='slide', crop_size=(512, 1024), stride=(256, 512)))
