"""The keypoints of a data set of your own: copy this file and write yours.

The order is that of your annotation file. `swap` is the keypoint that takes this one's
place in a mirrored image. A sigma says how far annotators scatter around a keypoint,
relative to the person's size; MMPose's metric needs it. 0.05 is a fair start; COCO's
reach from 0.025 (eyes) to 0.107 (hips). Colours are RGB.
"""

LEFT, RIGHT, MIDDLE = [0, 255, 0], [255, 128, 0], [51, 153, 255]

keypoint_info = {
    0: dict(name='nose', id=0, color=MIDDLE, type='', swap=''),
    1: dict(name='left_eye', id=1, color=LEFT, type='', swap='right_eye'),
    2: dict(name='right_eye', id=2, color=RIGHT, type='', swap='left_eye'),
    3: dict(name='left_ear', id=3, color=LEFT, type='', swap='right_ear'),
    4: dict(name='right_ear', id=4, color=RIGHT, type='', swap='left_ear'),
}
links = [('nose', 'left_eye'), ('nose', 'right_eye')]
links += [('left_eye', 'left_ear'), ('right_eye', 'right_ear')]

dataset_info = dict(
    dataset_name='custom',
    keypoint_info=keypoint_info,
    skeleton_info={
        i: dict(link=link, id=i, color=MIDDLE) for i, link in enumerate(links)
    },
    joint_weights=[1.0] * len(keypoint_info),
    sigmas=[0.026, 0.025, 0.025, 0.035, 0.035],
)
