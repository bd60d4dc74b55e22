"""Images and masks of your own, at 512x512, in the folder that CUSTOM_ROOT names.

Without that variable in data/custom: images/train, images/val (JPEG, or what
IMAGE_SUFFIX says) and labels/train, labels/val (PNG, the class number in each pixel,
255 where there is none).
"""

_base_ = './folder.py'

custom_root = '{{$CUSTOM_ROOT:data/custom}}/'
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(1024, 512), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
place = dict(data_root=custom_root, img_suffix='{{$IMAGE_SUFFIX:.jpg}}')
train_dataloader = dict(dataset=dict(**place, pipeline=train_pipeline))
val_dataloader = dict(dataset=place)
test_dataloader = val_dataloader
auto_scale_lr = dict(enable=False, base_batch_size=8)
