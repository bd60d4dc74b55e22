"""Our backbone in the other projects of OpenMMLab, and in plain PyTorch."""

import subprocess
import sys
from pathlib import Path

import litehrnet_mm  # noqa: F401  before mmdet: see compat.py

# isort: split
import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector
from mmdet.testing import demo_mm_inputs
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from urls import urls

from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.models import LiteHRNet

EXAMPLES = Path(__file__).resolve().parents[1] / 'configs/examples'


def make(name: str):
    """The config and model of an example."""
    (path,) = EXAMPLES.glob(name)
    assert len(path.read_text().splitlines()) <= 30
    cfg = load_config(str(path), {})
    assert urls(cfg.to_dict()) == set()
    model = build_model(cfg, path.name)
    assert isinstance(model.backbone, LiteHRNet)
    return cfg, model


def assert_learns(model, losses: dict) -> None:
    """The losses reach every parameter of the backbone that is used."""
    total = sum(
        torch.as_tensor(value).sum() if torch.is_tensor(value) else sum(value)
        for key, value in losses.items()
        if 'loss' in key
    )
    assert torch.isfinite(total)
    total.backward()
    grads = [p.grad for p in model.backbone.parameters()]
    assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)


def test_a_detector_trains_and_predicts(shared_data):
    cfg, model = make('faster-rcnn*')
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(0)
        packed = demo_mm_inputs(2, [[3, 160, 192], [3, 128, 192]], num_classes=80)
        data = model.data_preprocessor(packed, training=True)
        assert_learns(model, model.train()(**data, mode='loss'))
        model.eval()
        model.cfg = cfg
        # Random weights are sure of nothing.
        model.roi_head.test_cfg.score_thr = 0
        photo = next((shared_data / 'coco_mini_val/images').glob('*.jpg'))
        found = inference_detector(model, cv2.imread(str(photo))).pred_instances
    # What is found means nothing, but it has been through RoIAlign and NMS.
    height, width = cv2.imread(str(photo)).shape[:2]
    assert 0 < len(found) <= 100
    boxes = found.bboxes.numpy()
    assert (boxes >= 0).all()
    assert (boxes <= [width, height, width, height]).all()


def test_a_classifier():
    _, model = make('litehrnet-18_*in1k.py')
    images = torch.randn(2, 3, 64, 64)
    samples = [DataSample().set_gt_label(k) for k in (3, 7)]
    assert_learns(model, model.train()(images, samples, mode='loss'))
    with torch.no_grad():
        found = model.eval()(images, samples, mode='predict')
    assert [x.pred_score.shape for x in found] == [(1000,)] * 2
    assert found[0].pred_score.sum() == pytest.approx(1, abs=1e-4)


def test_regression():
    _, model = make('td-reg*')
    assert type(model.head).__name__ == 'RLEHead'
    assert type(model.head.loss_module).__name__ == 'RLELoss'
    images = torch.randn(2, 3, 256, 192)
    points = model.train()(images, None, mode='tensor')
    assert points.shape[:2] == (2, 17)
    assert_learns(model, dict(loss=points.square().mean()))


def test_pyramid_of_upernet():
    model = revert_sync_batchnorm(make('upernet*')[1])
    images = torch.randn(2, 3, 64, 128)
    samples = []
    for k in range(2):
        labels = torch.full((1, 64, 128), k)
        meta = dict(img_shape=(64, 128), ori_shape=(64, 128))
        samples.append(SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=labels)))
    assert_learns(model, model.train()(images, samples, mode='loss'))
    with torch.no_grad():
        assert model.eval()(images, None, mode='tensor').shape == (2, 19, 16, 32)


def test_plain_pytorch_needs_no_other_project():
    script = """
import sys, torch
from litehrnet_mm.models import LiteHRNet
net = LiteHRNet('litehrnet-18', out_indices=(0, 1, 2, 3), with_head=False).eval()
print([tuple(y.shape) for y in net(torch.zeros(1, 3, 64, 96))])
print([x for x in ('mmpose', 'mmseg', 'mmdet', 'mmpretrain') if x in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, check=True
    )
    shapes, imported = done.stdout.splitlines()
    sides = [(16, 24), (8, 12), (4, 6), (2, 3)]
    widths = (40, 80, 160, 320)
    assert shapes == str([(1, c, *side) for c, side in zip(widths, sides)])
    assert imported == '[]'
    assert np.prod(sides[0]) == 384
