"""Every segmentation config trains one step and evaluates, on real street scenes."""

import math
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.optimizer import amp_optimizer_wrapper
from running import configure, forget_runs, scalars
from urls import documented_urls, urls

from litehrnet_mm.engine import launch
from litehrnet_mm.engine.launch import train

CONFIGS = Path(__file__).resolve().parents[1] / 'configs/seg'
LEAVES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*_*.py')
    if not {'_base_', 'synthetic'} & set(path.relative_to(CONFIGS).parts)
)
# One step of two images; no weights from the network.
ONE_STEP = [
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'train_cfg.max_iters=1',
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
    'model.backbone.init_cfg=None',
    'randomness.seed=0',
]


def small_crops(path: str) -> list[str]:
    """Options for crops and scenes as small as a config's head can do with."""
    # LRASPP pools over windows of 49 cells of 8 pixels.
    width, height = (832, 416) if 'lraspp' in path else (256, 128)
    found = [
        f'train_dataloader.dataset.pipeline.2.scale="({width},{height})"',
        f'train_dataloader.dataset.pipeline.3.crop_size="({height},{width})"',
        f'model.data_preprocessor.size="({height},{width})"',
    ]
    if path.split('/')[0] in ('cityscapes', 'ade20k'):
        found.append(f'val_dataloader.dataset.pipeline.1.scale="({width},{height})"')
    return found


@pytest.fixture(autouse=True)
def first_run():
    """Each run is the first of its process."""
    yield
    forget_runs()


@pytest.mark.parametrize('path', LEAVES)
def test_trains_one_step_and_evaluates(path, seg_data, tmp_path, monkeypatch):
    # MMEngine refuses mixed precision on the CPU, which PyTorch has (bfloat16).
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    cfg = configure(CONFIGS / path, tmp_path, *ONE_STEP, *small_crops(path))
    train(cfg)
    found = scalars(tmp_path)
    assert math.isfinite(found['loss'])
    assert found['iter'] == 1
    assert {'mIoU', 'mAcc', 'aAcc'} <= set(found)
    assert 0 <= found['aAcc'] <= 100


@pytest.mark.parametrize('path', LEAVES)
def test_leaves_are_short_and_named_for_what_they_do(path):
    assert len((CONFIGS / path).read_text(encoding='utf-8').splitlines()) <= 15
    cfg = Config.fromfile(CONFIGS / path)
    assert urls(cfg.to_dict()) == documented_urls(CONFIGS / path)
    gpus, images = map(int, re.search(r'(\d+)xb(\d+)', path).groups())
    assert cfg.train_dataloader.batch_size == images
    assert cfg.auto_scale_lr.base_batch_size == gpus * images
    iterations = 1000 * int(re.search(r'-(\d+)k_', path)[1])
    assert cfg.train_cfg.max_iters == iterations == cfg.param_scheduler[-1].end
    height, width = map(int, re.search(r'(\d+)x(\d+)(?:_[a-z-]+)?\.py$', path).groups())
    assert tuple(cfg.model.data_preprocessor.size) == (height, width)
    assert tuple(cfg.crop_size) == (height, width)
    # The paper's form has no pre-training.
    has_weights = 'Pretrained' in str(cfg.model) or cfg.model.get('pretrained')
    assert bool(has_weights) == ('pretrained' in path)


def test_sync_bn_is_bn_where_one_process_runs(seg_data, tmp_path):
    path = 'cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'
    cfg = configure(CONFIGS / path, tmp_path, *ONE_STEP, *small_crops(path))
    assert cfg.model.backbone.norm_cfg.type == 'SyncBN'
    train(cfg)
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'reverted to BatchNorm' in log
    state = torch.load(tmp_path / 'iter_1.pth', weights_only=True)['state_dict']
    assert state['backbone.stem.conv1.bn.num_batches_tracked'] == 1
