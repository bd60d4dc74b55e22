"""COCO test-dev at 384x288: writes the file for the evaluation server.

The boxes are those of the detector of 60.9 AP on test-dev that the published results
use.
"""

_base_ = './coco_384x288.py'

test_ann = _base_.coco_root + 'annotations/image_info_test-dev2017.json'
test_dataloader = dict(
    dataset=dict(
        ann_file='annotations/image_info_test-dev2017.json',
        bbox_file=_base_.coco_detections
        + 'COCO_test-dev2017_detections_AP_H_609_person.json',
        data_prefix=dict(img='test2017/'),
    )
)
test_evaluator = dict(
    type='litehrnet_mm.CocoSubmission',
    ann_file=test_ann,
    method='litehrnet-18',
    out_dir='work_dirs/coco_test-dev',
)
