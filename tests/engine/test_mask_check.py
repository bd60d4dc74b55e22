"""Masks that do not fit: the file and the value are named, before a run or in it."""

import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from running import configure, forget_runs

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine import mask_check
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.launch import test as evaluate
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.mask_check import Labels, check_masks

CONFIG = 'configs/seg/custom/fcn_litehrnet-18_1xb8-20k_custom-512x512.py'
HEIGHT, WIDTH = 64, 96
ONE_STEP = [
    'train_dataloader.batch_size=2',
    'train_dataloader.dataset.pipeline.2.scale="(96,64)"',
    'train_dataloader.dataset.pipeline.3.crop_size="(64,64)"',
    'model.data_preprocessor.size="(64,64)"',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Three images of a data set of one's own, with masks of three classes."""
    root = tmp_path / 'data'
    random = np.random.default_rng(0)
    for split in ('train', 'val'):
        for name in 'abc':
            image = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            mask = random.choice(np.uint8([0, 1, 2, 255]), (HEIGHT, WIDTH))
            write(root / f'images/{split}/{name}.jpg', image)
            write(root / f'labels/{split}/{name}.png', mask)
    monkeypatch.setenv('CUSTOM_ROOT', str(root))
    return root


@pytest.fixture
def cfg(root, repository, tmp_path) -> Config:
    """The template for such a data set, for a step on it."""
    options = [f'{x}_dataloader.num_workers=0' for x in ('train', 'val', 'test')]
    return configure(repository / CONFIG, tmp_path / 'work', *options, *ONE_STEP)


def write(path, image) -> None:
    """Write a picture, and the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def mask_of(value: int, dtype=np.uint8, size=(HEIGHT, WIDTH)) -> np.ndarray:
    """A mask of class 1 with one pixel of another value."""
    mask = np.ones(size, dtype)
    mask[5, 7] = value
    return mask


def test_masks_that_fit_pass(cfg):
    labels = check_masks(cfg, ('train', 'val', 'test'))
    assert labels == dict.fromkeys(('train', 'val', 'test'), Labels(3, 255))


FAULTS = {
    'other value': (
        lambda path: write(path, mask_of(37)),
        r'labels/train/b\.png has the value 37: no class \(0 to 2\) and not 255',
    ),
    'many values': (
        lambda path: write(path, np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 10),
        r'b\.png has the value 3, 4, 5, 6, 7 and 2 more: no class',
    ),
    'missing': (
        lambda path: path.unlink(),
        r'mask not found: .*labels/train/b\.png, of the image .*images/train/b\.jpg',
    ),
    'other size': (
        lambda path: write(path, mask_of(1, size=(HEIGHT, WIDTH - 2))),
        r'labels/train/b\.png is 94x64 pixels, but its image .*b\.jpg 96x64',
    ),
    'turned': (
        lambda path: write(path, mask_of(1, size=(WIDTH, HEIGHT))),
        r'labels/train/b\.png is 64x96 pixels, but its image .*b\.jpg 96x64',
    ),
    'no picture': (
        lambda path: path.write_bytes(b'class 1'),
        r'mask cannot be read: .*labels/train/b\.png \(none of BMP, .*\)',
    ),
    'empty': (
        lambda path: path.write_bytes(b''),
        r'mask cannot be read: .*labels/train/b\.png \(none of BMP, .*\)',
    ),
    'cut off': (
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        r'mask cannot be read: .*labels/train/b\.png \(',
    ),
    'colours': (
        lambda path: write(path, np.ones((HEIGHT, WIDTH, 3), np.uint8)),
        r'labels/train/b\.png is a colour picture; a mask has one channel',
    ),
    '16 bits': (
        lambda path: write(path, mask_of(257, np.uint16)),
        r'labels/train/b\.png has the value 257, and MMSegmentation reads 8 bits',
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_faults_are_named_before_anything_is_built(cfg, root, fault):
    spoil, words = FAULTS[fault]
    spoil(root / 'labels/train/b.png')
    with pytest.raises(UserError, match=words) as raised:
        train(cfg)
    assert '\n' not in str(raised.value)
    assert not any(root.parent.glob('work/*'))


def test_masks_without_an_image_are_told_of(cfg, root, monkeypatch):
    said = []
    monkeypatch.setattr(mask_check, 'warn', said.append)
    (root / 'images/train/b.jpg').rename(root / 'images/train/b.jpeg')
    check_masks(cfg, ('train', 'val'))
    (line,) = said  # of the other split there is nothing to say
    assert line.startswith('1 masks have no image *.jpg and are not used')
    assert line.endswith(str(root / 'labels/train/b.png'))


def test_a_setting_that_a_class_does_not_have(cfg, root):
    cfg.train_cfg.max_iter = 5
    kind = 'IterBasedTrainLoop' if sys.version_info >= (3, 10) else 'a class'
    with pytest.raises(UserError, match=f"{kind} has no setting 'max_iter'"):
        train(cfg)


def test_an_image_that_cannot_be_read_is_named_before_the_run(cfg, root):
    (root / 'images/val/c.jpg').write_bytes(b'no JPEG')
    with pytest.raises(UserError, match=r'image cannot be read: .*images/val/c\.jpg'):
        train(cfg)


def test_no_images_at_all(cfg, root, monkeypatch):
    cfg.train_dataloader.dataset.img_suffix = '.jpeg'
    with pytest.raises(
        UserError, match=r'no images \*\.jpeg in .*images/train \(img_suffix'
    ):
        check_masks(cfg, ('train',))


def test_an_image_turned_by_exif_has_the_size_it_is_shown_in(cfg, root):
    path = root / 'images/train/a.jpg'
    image = Image.fromarray(np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    assert cv2.imread(str(path)).shape[:2] == (HEIGHT, WIDTH)
    assert check_masks(cfg, ('train',))


def test_the_value_that_is_ignored_is_that_of_the_metric_where_one_evaluates(cfg, root):
    write(root / 'labels/val/a.png', mask_of(11))
    with pytest.raises(UserError, match='has the value 11'):
        check_masks(cfg, ('val',))
    cfg.val_evaluator.ignore_index = 11
    with pytest.raises(UserError, match=r'has the value 255: .* not 11'):
        check_masks(cfg, ('val',))


def test_palette_and_zero_label_are_read_as_mmsegmentation_reads_them(cfg, root):
    for path in (root / 'labels/train').iterdir():
        image = Image.fromarray(mask_of(3))
        image.putpalette([value for _ in range(256) for value in (9, 8, 7)])
        image.save(path)
    with pytest.raises(UserError, match='has the value 3'):
        check_masks(cfg, ('train',))
    cfg.train_dataloader.dataset.reduce_zero_label = True
    assert check_masks(cfg, ('train',))


def test_a_colour_for_each_class(cfg, root):
    cfg.train_dataloader.dataset.metainfo.palette.pop()
    with pytest.raises(UserError, match='has 3 classes and 2 colours'):
        check_masks(cfg, ('train',))


@pytest.mark.parametrize('workers', [0, 1])
def test_what_was_not_read_ahead_is_checked_as_it_is_loaded(
    cfg, root, workers, monkeypatch
):
    monkeypatch.setattr(mask_check, 'READ_AHEAD', 1)  # the first mask only
    write(root / 'labels/train/c.png', mask_of(37))
    cfg.train_dataloader.num_workers = workers
    cfg.train_dataloader.persistent_workers = bool(workers)
    cfg.train_cfg.max_iters = 20
    with pytest.raises(UserError, match=r'^mask .*train/c\.png has the value 37') as it:
        train(cfg)
    assert '\n' not in str(it.value)
    forget_runs()


@pytest.mark.parametrize('tta', [False, True])
def test_and_so_it_is_while_testing(cfg, root, tta, monkeypatch):
    monkeypatch.setattr(mask_check, 'READ_AHEAD', 1)
    write(root / 'labels/val/c.png', mask_of(37))
    if tta:
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = dict(**cfg.tta_model, module=cfg.model)
    model = build_model(cfg, CONFIG)
    cfg.load_from = str(root / 'fresh.pth')
    torch.save(
        dict(state_dict=getattr(model, 'module', model).state_dict()), cfg.load_from
    )
    with pytest.raises(UserError, match=r'^mask .*val/c\.png has the value 37'):
        evaluate(cfg, allow_partial=False, list_all=False)
    forget_runs()


def test_a_mask_half_of_zeros_is_found(cfg, root):
    """Pillow decodes such a PNG, with ignorant pixels, without looking at its sums."""
    path = root / 'labels/train/b.png'
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    with Image.open(path) as image:
        image.load()
    with pytest.raises(UserError, match=f'mask cannot be read: {path}'):
        check_masks(cfg, ('train',))


@pytest.mark.parametrize('content', [b'', b'\x89PNG\r\n\x1a\n' + bytes(30)])
def test_a_mask_that_is_none(cfg, root, content):
    path = root / 'labels/train/b.png'
    path.write_bytes(content)
    with pytest.raises(UserError, match=f'mask cannot be read: {path}'):
        check_masks(cfg, ('train',))


def test_a_deep_mask_that_is_cut_off(cfg, root):
    path = root / 'labels/train/b.png'
    write(path, mask_of(7, np.uint16))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match=f'mask cannot be read: {path}'):
        check_masks(cfg, ('train',))
