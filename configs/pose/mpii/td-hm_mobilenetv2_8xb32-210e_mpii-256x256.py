_base_ = ['../_base_/mpii_256x256.py', '../_base_/models/mobilenetv2.py']

model = _base_.mobilenetv2
optim_wrapper = dict(optimizer=dict(lr=5e-4))  # as MMPose fine-tunes it
