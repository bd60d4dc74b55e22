"""The configs: what they inherit, what they change, and that MMPose builds them."""

from pathlib import Path

import mmpose
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from nets import random_images, randomise, relative_difference

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts and 'synthetic' not in path.parts
)
STOCK = (
    Path(mmpose.__file__).parent
    / '.mim/configs/body_2d_keypoint/topdown_heatmap/coco'
    / 'td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
)


@pytest.fixture(autouse=True)
def mmpose_scope():
    """Build as MMPose's runner does."""
    with DefaultScope.overwrite_default_scope('mmpose'):
        yield


def pose_batch(size: int = 2) -> dict:
    """Random images with one person each, as MMPose's pipeline packs them."""
    generator = torch.Generator().manual_seed(0)
    images, samples = [], []
    for _ in range(size):
        image = torch.randint(0, 256, (3, 256, 192), generator=generator)
        images.append(image.to(torch.uint8))
        sample = PoseDataSample(metainfo=dict(input_size=(192, 256)))
        sample.gt_fields = PixelData(
            heatmaps=torch.rand(17, 64, 48, generator=generator)
        )
        sample.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(1, 17))
        samples.append(sample)
    return dict(inputs=images, data_samples=samples)


def test_mmposes_stock_config_works_with_only_the_type_changed():
    cfg = Config.fromfile(STOCK)
    theirs = randomise(MODELS.build(cfg.model))
    cfg.model.backbone.type = 'litehrnet_mm.LiteHRNet'
    ours = MODELS.build(cfg.model)
    assert type(ours.backbone).__module__.startswith('litehrnet_mm')
    assert type(theirs.backbone).__module__.startswith('mmpose')
    ours.load_state_dict(theirs.state_dict(), strict=True)
    losses = {}
    for name, model in (('ours', ours), ('theirs', theirs)):
        model.train()
        batch = model.data_preprocessor(pose_batch(), training=True)
        loss = model(**batch, mode='loss')['loss_kpt']
        loss.backward()
        torch.optim.Adam(model.parameters(), lr=5e-4).step()
        losses[name] = loss.item()
    assert losses['ours'] == pytest.approx(losses['theirs'], rel=1e-5)


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_leaves_are_short_and_build(path):
    lines = path.read_text(encoding='utf-8').splitlines()
    assert len(lines) <= 15
    model = MODELS.build(Config.fromfile(path).model)
    assert type(model.backbone).__name__ == 'LiteHRNet'
    assert model.backbone.out_channels[-1] == model.head.in_channels


@pytest.mark.parametrize(
    ('name', 'arch'),
    [
        ('td-hm_litehrnet-18_8xb64-210e_coco-256x192', 'litehrnet-18'),
        (
            'td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192',
            'wider-naive-litehrnet-18',
        ),
    ],
)
def test_the_recipe_is_the_official_one(name, arch):
    cfg = Config.fromfile(ROOT / 'configs/pose/coco' / f'{name}.py')
    assert cfg.model.backbone.arch == arch
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('Adam', 2e-3)
    assert cfg.train_dataloader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size
    assert cfg.train_cfg.max_epochs == 210
    warm_up, steps = cfg.param_scheduler
    assert (warm_up.end, warm_up.start_factor) == (500, 0.001)
    assert steps.milestones == [170, 200]
    assert (cfg.codec.sigma, cfg.codec.input_size) == (2, (192, 256))
    transforms = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    # MMPose 1.x cuts the normal distribution at rotate_factor, twice its deviation.
    assert transforms['RandomBBoxTransform'].rotate_factor == 2 * 30
    assert transforms['RandomBBoxTransform'].scale_factor == (0.75, 1.25)
    assert {'RandomHalfBody', 'RandomFlip'} <= set(transforms)


def test_a_pose_net_gives_the_same_heatmaps_as_its_backbone_and_head():
    cfg = Config.fromfile(LEAVES[0])
    model = randomise(MODELS.build(cfg.model)).eval()
    images = random_images(1, 3, 256, 192)
    with torch.no_grad():
        heatmaps = model(images, None, mode='tensor')
        expected = model.head.final_layer(model.backbone(images)[0])
    assert heatmaps.shape == (1, 17, 64, 48)
    assert relative_difference(heatmaps, expected) == 0
