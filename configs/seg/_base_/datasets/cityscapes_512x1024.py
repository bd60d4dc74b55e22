"""Cityscapes at 512x1024, in the folder that CITYSCAPES_ROOT names.

Without that variable in data/cityscapes. Four images on each of four GPUs: 16 a step.
"""

_base_ = ['mmseg::_base_/datasets/cityscapes.py', '../runtime.py']

cityscapes_root = data_root = '{{$CITYSCAPES_ROOT:data/cityscapes}}/'
train_dataloader = dict(batch_size=4, num_workers=4, dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
auto_scale_lr = dict(enable=False, base_batch_size=16)
