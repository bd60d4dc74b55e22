_base_ = '../_base_/coco_256x192.py'
