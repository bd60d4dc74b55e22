_base_ = './fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'

sampler = dict(type='OHEMPixelSampler', thresh=0.7, min_kept=100000)
model = dict(decode_head=dict(sampler=sampler))
