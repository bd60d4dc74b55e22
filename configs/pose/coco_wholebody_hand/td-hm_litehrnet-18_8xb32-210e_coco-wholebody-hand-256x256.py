_base_ = '../_base_/coco-wholebody-hand_256x256.py'
