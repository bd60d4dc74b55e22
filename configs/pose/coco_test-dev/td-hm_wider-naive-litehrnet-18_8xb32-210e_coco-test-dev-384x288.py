_base_ = '../_base_/coco_test-dev_384x288.py'

model = dict(backbone=dict(arch='wider-naive-litehrnet-18'))
test_evaluator = dict(method='wider-naive-litehrnet-18')
