_base_ = '../_base_/mpii_256x256.py'
