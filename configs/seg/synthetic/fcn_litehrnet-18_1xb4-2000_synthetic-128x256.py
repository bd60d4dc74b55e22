_base_ = '../_base_/synthetic_128x256.py'
