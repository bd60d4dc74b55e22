_base_ = '../_base_/coco_test-dev_384x288.py'

model = dict(backbone=dict(arch='litehrnet-30'))
test_evaluator = dict(method='litehrnet-30')
