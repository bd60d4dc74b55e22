_base_ = '../_base_/coco-aic-merge_udp_256x192.py'
