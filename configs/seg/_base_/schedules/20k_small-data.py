"""20k iterations for small data sets, from scratch: AdamW at 0.001, a short warm-up."""

_base_ = 'mmseg::_base_/schedules/schedule_20k.py'

optimizer = dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.01)
optim_wrapper = dict(optimizer=optimizer)
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, start_factor=0.01, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, eta_min=1e-5, power=0.9, begin=50, end=20000),
]
