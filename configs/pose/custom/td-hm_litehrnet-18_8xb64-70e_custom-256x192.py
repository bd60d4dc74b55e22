# Copy this file and keypoints.py, write your keypoints there, and train; see
# docs/custom_data.md.
_base_ = ['../_base_/custom_256x192.py', './keypoints.py']

model = dict(head=dict(out_channels=len(_base_.keypoint_info)))
train_dataloader = dict(dataset=dict(metainfo=_base_.dataset_info))
val_dataloader = dict(dataset=dict(metainfo=_base_.dataset_info))
test_dataloader = val_dataloader
