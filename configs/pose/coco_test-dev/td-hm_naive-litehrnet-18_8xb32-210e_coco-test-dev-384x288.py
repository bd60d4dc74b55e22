_base_ = '../_base_/coco_test-dev_384x288.py'

model = dict(backbone=dict(arch='naive-litehrnet-18'), head=dict(in_channels=30))
test_evaluator = dict(method='naive-litehrnet-18')
