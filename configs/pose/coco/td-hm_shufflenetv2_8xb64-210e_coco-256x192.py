_base_ = ['../_base_/coco_256x192.py', '../_base_/models/shufflenetv2.py']

model = _base_.shufflenetv2
optim_wrapper = dict(optimizer=dict(lr=5e-4))  # as MMPose fine-tunes it
