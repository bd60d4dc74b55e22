_base_ = ['../_base_/mpii_256x256.py', '../_base_/models/small-hrnet-w16.py']

model = _base_.small_hrnet_w16
