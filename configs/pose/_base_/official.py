"""What all configs share, and the augmentation of the official Lite-HRNet recipe.

Against MMPose's own recipe for Lite-HRNet (https://github.com/open-mmlab/mmpose), the
official one (https://github.com/HRNet/Lite-HRNet)
  * learns with Adam at 2e-3, not 5e-4: `lr` below, which every base sets;
  * does not shift the person's box (MMPose: by up to 16 % in 30 % of the cases);
  * takes 8x32 images a step on MPII and at 384x288 (MMPose: 8x64 on MPII).
The rest is the same: 210 epochs, steps after 170 and 200, 500 iterations of warm-up,
flips, half bodies (COCO), rotation with a deviation of 30 degrees, scale 0.75 to 1.25.
"""

# Also lets MMPose's own tools find this package's registry and compatibility layer.
custom_imports = dict(imports=['litehrnet_mm'], allow_failed_imports=False)

lr = 2e-3

# MMPose draws the angle from a normal distribution that it cuts at rotate_factor, twice
# its deviation.
mpii_augmentation = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='RandomBBoxTransform',
        shift_prob=0,
        rotate_factor=60,
        scale_factor=(0.75, 1.25),
    ),
]
coco_augmentation = [
    *mpii_augmentation[:3],
    dict(type='RandomHalfBody'),
    *mpii_augmentation[3:],
]
