_base_ = [
    '../_base_/models/fcn_litehrnet.py',
    '../_base_/datasets/cityscapes_test-server.py',
    'mmseg::_base_/schedules/schedule_160k.py',
]

model = dict(backbone=dict(arch='litehrnet-30'))
test_evaluator = dict(output_dir='work_dirs/cityscapes_test-server/litehrnet-30')
