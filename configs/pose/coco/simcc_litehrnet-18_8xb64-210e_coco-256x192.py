_base_ = '../_base_/coco_simcc_256x192.py'
