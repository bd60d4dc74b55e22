"""ADE20K at 512x512, in the folder that ADE20K_ROOT names.

Without that variable in data/ade/ADEChallengeData2016.
"""

_base_ = ['mmseg::_base_/datasets/ade20k.py', '../runtime.py']

ade20k_root = data_root = '{{$ADE20K_ROOT:data/ade/ADEChallengeData2016}}/'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
auto_scale_lr = dict(enable=False, base_batch_size=16)
