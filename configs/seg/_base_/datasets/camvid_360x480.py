"""CamVid at 360x480: eleven classes, 11 is void, in the folder CAMVID_ROOT names.

Without that variable in data/camvid, as tools/prepare_camvid.py makes it.
"""

_base_ = './folder.py'

camvid_root = '{{$CAMVID_ROOT:data/camvid}}/'
void = 11
metainfo = dict(
    classes=(
        *('sky', 'building', 'pole', 'road', 'pavement', 'tree'),
        *('sign', 'fence', 'car', 'pedestrian', 'bicyclist'),
    ),
    palette=[
        *([128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128]),
        *([60, 40, 222], [128, 128, 0], [192, 128, 128], [64, 64, 128]),
        *([64, 0, 128], [64, 64, 0], [0, 128, 192]),
    ],
)
# The Dice loss counts each class alike: poles, signs and persons have few pixels.
losses = [
    dict(type='CrossEntropyLoss', loss_name='loss_ce'),
    dict(type='DiceLoss', loss_name='loss_dice', ignore_index=void),
]
crop_size = (360, 480)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(480, 360), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75, ignore_index=void),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
place = dict(data_root=camvid_root, metainfo=metainfo, img_suffix='.png')
train_dataloader = dict(dataset=dict(**place, pipeline=train_pipeline))
val_dataloader = dict(dataset=place)
test_dataloader = val_dataloader
val_evaluator = dict(ignore_index=void)
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=8)
