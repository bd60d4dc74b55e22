"""Samples are what the pipeline makes of the data set's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from litehrnet_mm.browsing.masks import MaskViews
from litehrnet_mm.browsing.poses import PoseViews, transformed_people
from litehrnet_mm.browsing.samples import choose, open_split, read_samples, to_picture
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import load_config

COCO = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
MERGED = 'configs/pose/coco/td-hm_litehrnet-18_udp-8xb64-210e_coco-aic-256x192-merge.py'
CAMVID = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'
ADE = 'configs/seg/ade20k/fcn_litehrnet-18_4xb4-160k_ade20k-512x512.py'


@pytest.fixture
def open_samples(repository, monkeypatch):
    """All samples of a split, and their data set."""
    monkeypatch.chdir(repository)

    def run(path: str, split: str = 'train', **options):
        cfg = load_config(path, options)
        dataset = open_split(cfg, path, split)
        return dataset, list(read_samples(dataset, range(len(dataset)), 0))

    return run


def test_pixels_are_those_of_the_file(open_samples, seg_data):
    _, samples = open_samples(CAMVID, 'val')
    for sample in samples:
        image = cv2.imread(sample.info['img_path'])
        np.testing.assert_array_equal(sample.image, image)  # BGR in both


def test_crops_hold_the_keypoints(open_samples, pose_data):
    """Keypoints are where their heatmaps are, as visible as their annotation says."""
    _, samples = open_samples(COCO)
    flipped = 0
    for sample in samples:
        (person,) = transformed_people(sample)
        flip = sample.data.metainfo['flip']
        flipped += flip
        raw = np.reshape(sample.info['raw_ann_info']['keypoints'], (-1, 3))
        levels = raw[:, 2]
        if flip:
            levels = levels[sample.data.metainfo['flip_indices']]
        np.testing.assert_array_equal(person['keypoints'][:, 2], levels)
        assert sample.image.shape == (256, 192, 3)
        heatmaps = sample.data.gt_fields.heatmaps.numpy()
        peaks = [np.unravel_index(x.argmax(), x.shape)[::-1] for x in heatmaps]
        counts = sample.data.gt_instance_labels.keypoint_weights[0].numpy() > 0
        points = person['keypoints'][:, :2]
        counts &= (points >= 0).all(axis=1) & (points <= [188, 252]).all(axis=1)
        assert counts.any()
        apart = 4 * np.array(peaks) - points
        assert abs(apart[counts]).max() <= 2  # half a cell
    assert 0 < flipped < len(samples)
    hidden = [np.array(transformed_people(x)[0]['keypoints'])[:, 2] for x in samples]
    assert {0, 1, 2} == set(np.concatenate(hidden))


def test_wrapped_and_converted_data_sets(open_samples, pose_data, tmp_path):
    dataset, samples = open_samples(MERGED)
    views = PoseViews(dataset.metainfo)
    assert len(samples) == 24
    for sample in samples[12:]:  # AI Challenger's 14 keypoints, as COCO's 17
        (person,) = transformed_people(sample)
        assert person['keypoints'].shape == (17, 3)
        assert not person['keypoints'][:5].any(axis=0)[2]  # it has no face
        assert len(views.transformed(sample, (320, 256))) == 2
    (tmp_path / 'repeated.py').write_text(
        f"_base_ = '{Path(COCO).resolve()}'\n"
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', "
        'times=2, dataset=_base_.train_dataloader.dataset))\n'
    )
    _, repeated = open_samples(str(tmp_path / 'repeated.py'))
    assert [x.index for x in repeated] == list(range(24))
    names = [x.info['img_path'] for x in repeated]
    assert names[:12] == names[12:]


def test_detected_boxes_have_no_keypoints(open_samples, pose_data):
    dataset, samples = open_samples(COCO, 'val')
    (view,) = PoseViews(dataset.metainfo).original(samples[0], (320, 256))
    assert not view.shown
    assert not transformed_people(samples[0])[0]['keypoints'][:, 2].any()


def test_what_is_ignored_is_striped(open_samples, seg_data):
    dataset, samples = open_samples(CAMVID, 'val')
    views = MaskViews(dataset.metainfo)
    palette = np.array(dataset.metainfo['palette'])[:, ::-1]
    seen = set()
    for sample in samples:
        mask = sample.data.gt_sem_seg.data[0].numpy()
        height, width = mask.shape
        plain, drawn = views.transformed(sample, (width, height))
        seen |= drawn.shown
        assert drawn.shown == set(np.unique(mask))  # void is 11, the last of the key
        picture, image = (view.picture[-height:] for view in (drawn, plain))
        inside = cv2.erode((mask == 11).astype(np.uint8), np.ones((5, 5))) > 0
        dark = picture[inside].mean(axis=1) < 0.3 * image[inside].mean(axis=1)
        assert 0.3 < dark.mean() < 0.7  # every other stripe
        road = cv2.erode((mask == 3).astype(np.uint8), np.ones((5, 5))) > 0
        mixed = 0.45 * image[road] + 0.55 * palette[3]
        np.testing.assert_allclose(picture[road], mixed, atol=1.5)
    assert 11 in seen
    assert views.key[11][0] == 'ignored'
    assert views.key[3][0] == 'road'


def test_masks_of_another_size_than_the_input(open_samples, seg_data):
    dataset, samples = open_samples(ADE, 'val')
    views = MaskViews(dataset.metainfo)
    for sample in samples:
        assert sample.image.shape[:2] != sample.data.gt_sem_seg.data.shape[1:]
        original, plain, drawn = (
            *views.original(sample, (320, 256)),
            *views.transformed(sample, (320, 256)),
        )
        assert original.shown == drawn.shown
        assert plain.picture.shape == drawn.picture.shape == original.picture.shape


def test_which_samples():
    assert choose(10, 3, False, 5) == [0, 1, 2]
    assert choose(10, 20, False, 0) == list(range(10))
    assert choose(10, 20, True, 0) == list(range(10))
    some = choose(1000, 5, True, 0)
    assert len(set(some)) == 5
    assert some == sorted(some) == choose(1000, 5, True, 0) != choose(1000, 5, True, 1)


@pytest.mark.parametrize(
    ('inputs', 'words'),
    [
        (torch.full((3, 4, 4), -1.5), 'data_preprocessor'),
        (torch.full((3, 4, 4), 256.0), 'data_preprocessor'),
        (torch.zeros(17, 2), 'no colour picture'),
        (torch.zeros(1, 4, 4), 'no colour picture'),
    ],
)
def test_what_is_no_picture(inputs, words):
    with pytest.raises(UserError, match=words):
        to_picture(inputs)


def test_whole_numbers_as_floats_are_a_picture():
    values = torch.arange(48).reshape(3, 4, 4)
    expected = values.permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(to_picture(values.float()), expected)
