"""The pose configs: what they inherit and change, and that MMPose builds them."""

import re
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
from running import LITE_CONFIG
from urls import DOCUMENTED, documented_urls, urls

from litehrnet_mm.models.arch import ARCHS

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(
    path
    for path in (ROOT / 'configs/pose').rglob('*.py')
    if '_base_' not in path.parts and path.stem != 'keypoints'
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
    cfg = Config.fromfile(path)
    assert urls(cfg.to_dict()) == documented_urls(path)
    cfg.model.backbone.init_cfg = None  # a download of ImageNet's weights
    model = MODELS.build(cfg.model)
    if 'litehrnet' in path.name:
        assert type(model.backbone).__module__.startswith('litehrnet_mm.')
        assert model.backbone.out_channels[-1] == model.head.in_channels
    # A name says how many images a step take, and the config does what it says.
    gpus, images = map(int, re.search(r'(\d+)xb(\d+)', path.name).groups())
    assert cfg.train_dataloader.batch_size == images
    assert cfg.auto_scale_lr.base_batch_size == gpus * images
    epochs = int(re.search(r'-(\d+)e_', path.name)[1])
    assert cfg.train_cfg.max_epochs == epochs == cfg.param_scheduler[1].end
    height, width = map(int, re.search(r'(\d+)x(\d+)\D*$', path.stem).groups())
    assert tuple(cfg.codec.input_size) == (width, height)


def test_what_configs_fetch_is_found_and_documented():
    assert len(DOCUMENTED) == 3
    for pattern in DOCUMENTED:
        assert list(ROOT.glob(pattern))
    model = dict(a=[dict(init_cfg=dict(checkpoint='torchvision://resnet50'))])
    assert urls(model) == {'torchvision://resnet50'}
    assert urls(dict(backbone=dict(pretrained=True))) == {'True'}
    assert urls(dict(pretrained=None, checkpoint='a/b.pth')) == set()


OFFICIAL = [
    ('coco', '8xb64-210e_coco-256x192', 512, 2),
    ('coco', '8xb32-210e_coco-384x288', 256, 3),
    ('mpii', '8xb32-210e_mpii-256x256', 256, 2),
]


@pytest.mark.parametrize('arch', sorted(ARCHS))
@pytest.mark.parametrize(('data', 'name', 'batch', 'sigma'), OFFICIAL)
def test_the_recipe_is_the_official_one(arch, data, name, batch, sigma):
    cfg = Config.fromfile(ROOT / f'configs/pose/{data}/td-hm_{arch}_{name}.py')
    assert cfg.model.backbone.arch == arch
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('Adam', 2e-3)
    assert cfg.train_dataloader.batch_size * 8 == batch
    assert cfg.train_cfg.max_epochs == 210
    warm_up, steps = cfg.param_scheduler
    assert (warm_up.end, warm_up.start_factor) == (500, 0.001)
    assert steps.milestones == [170, 200]
    assert cfg.codec.sigma == sigma
    transforms = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    box = transforms['RandomBBoxTransform']
    # MMPose 1.x cuts the normal distribution at rotate_factor, twice its deviation.
    assert (box.rotate_factor, box.shift_prob) == (2 * 30, 0)
    assert box.scale_factor == (0.75, 1.25)
    assert 'RandomFlip' in transforms
    assert ('RandomHalfBody' in transforms) == (data == 'coco')
    assert cfg.model.test_cfg.flip_test


@pytest.mark.parametrize('variable', ['COCO_ROOT', 'MPII_ROOT', 'AIC_ROOT'])
def test_a_variable_moves_a_data_set_whole(variable, monkeypatch):
    folder = variable.split('_')[0].lower()
    leaves = [path for path in LEAVES if folder in path.name]
    assert leaves
    for path in leaves:
        monkeypatch.delenv(variable, raising=False)
        assert f'data/{folder}/' in str(Config.fromfile(path)._cfg_dict)
        monkeypatch.setenv(variable, '/somewhere/else')
        text = str(Config.fromfile(path)._cfg_dict)
        assert f'data/{folder}' not in text
        assert '/somewhere/else/' in text


def test_a_pose_net_gives_the_same_heatmaps_as_its_backbone_and_head():
    cfg = Config.fromfile(ROOT / LITE_CONFIG)
    model = randomise(MODELS.build(cfg.model)).eval()
    images = random_images(1, 3, 256, 192)
    with torch.no_grad():
        heatmaps = model(images, None, mode='tensor')
        expected = model.head.final_layer(model.backbone(images)[0])
    assert heatmaps.shape == (1, 17, 64, 48)
    assert relative_difference(heatmaps, expected) == 0
