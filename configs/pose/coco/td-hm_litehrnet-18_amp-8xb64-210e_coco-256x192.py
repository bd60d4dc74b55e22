_base_ = '../_base_/coco_256x192.py'

optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')
