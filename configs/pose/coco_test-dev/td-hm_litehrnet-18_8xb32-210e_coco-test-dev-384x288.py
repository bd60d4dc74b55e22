_base_ = '../_base_/coco_test-dev_384x288.py'
