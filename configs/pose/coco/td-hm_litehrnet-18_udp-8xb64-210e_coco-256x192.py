_base_ = '../_base_/coco_udp_256x192.py'
