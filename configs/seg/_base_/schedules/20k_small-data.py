"""20k iterations for small data sets, from scratch: SGD at 0.05, a short warm-up."""

_base_ = 'mmseg::_base_/schedules/schedule_20k.py'

optimizer = dict(lr=0.05)
optim_wrapper = dict(optimizer=optimizer)
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, start_factor=0.01, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, eta_min=1e-4, power=0.9, begin=50, end=20000),
]
