_base_ = '../_base_/synthetic_128x96.py'
