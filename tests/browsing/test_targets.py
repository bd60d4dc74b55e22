"""Targets lie in pictures where the keypoints are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample

from litehrnet_mm.browsing.targets import STRIP, draw_targets

COLOURS = [(0, 0, 255), (0, 255, 0)]
SCALE = 2
POINTS = np.array([[[96.0, 60.0], [40.0, 200.0]]])
SIZES = dict(input_size=(192, 256), heatmap_size=(48, 64))


def encode(codec: dict, visible=(1, 1)) -> tuple[PoseDataSample, object]:
    """Targets as MMPose's pipeline packs them, and what made them."""
    with DefaultScope.overwrite_default_scope('mmpose'):
        encoder = KEYPOINT_CODECS.build(codec)
    made = encoder.encode(POINTS, np.array([visible], np.float32))
    sample = PoseDataSample(metainfo=dict(img_shape=(256, 192)))
    if 'heatmaps' in made:
        sample.gt_fields = PixelData(heatmaps=torch.from_numpy(made.pop('heatmaps')))
    sample.gt_instance_labels = InstanceData(
        **{key: torch.from_numpy(np.asarray(value)) for key, value in made.items()}
    )
    return sample, encoder


def draw(codec: dict, **more) -> np.ndarray:
    """The targets over a black crop."""
    crop = np.zeros((256 * SCALE, 192 * SCALE, 3), np.uint8)
    return draw_targets(crop, SCALE, *encode(codec, **more), COLOURS)


def centre(picture: np.ndarray, channel: int) -> np.ndarray:
    """The middle of what has a colour, in pixels of the network's input."""
    weights = picture[..., channel].astype(float)
    y, x = np.indices(weights.shape)
    middle = np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()
    return (middle + 0.5) / SCALE - 0.5


@pytest.mark.parametrize(
    'codec',
    [
        dict(type='MSRAHeatmap', sigma=2, **SIZES),
        dict(type='UDPHeatmap', sigma=2, **SIZES),
        dict(type='UDPHeatmap', heatmap_type='combined', **SIZES),
        dict(type='MegviiHeatmap', kernel_size=7, **SIZES),
        dict(type='RegressionLabel', input_size=(192, 256)),
    ],
)
def test_targets_sit_on_the_keypoints(codec):
    picture = draw(codec)
    # A disk's cells are whole, so that it is up to half a cell beside its keypoint.
    near = 2 if 'heatmap_type' in codec else 0.6
    for channel, point in zip((2, 1), POINTS[0]):
        np.testing.assert_allclose(centre(picture, channel), point, atol=near)
    assert not picture[..., 0].any()  # nothing in the colour of no keypoint


def test_sigma_shows():
    codecs = [dict(type='UDPHeatmap', sigma=sigma, **SIZES) for sigma in (1, 3)]
    small, large = ((draw(codec)[..., 1] > 64).sum() for codec in codecs)
    assert large > 4 * small > 0


@pytest.mark.parametrize('smoothing', ['gaussian', 'standard'])
def test_vectors_lie_along_the_edges(smoothing):
    codec = dict(type='SimCCLabel', input_size=(192, 256), smoothing_type=smoothing)
    picture = draw(codec)
    height, width = 256 * SCALE, 192 * SCALE
    assert picture.shape == (height + STRIP, width + STRIP, 3)
    assert not picture[:height, :width].any()
    ink = int(picture[height, 0, 0])
    for channel, (x, y) in zip((2, 1), POINTS[0]):
        below = picture[height:, :width].clip(ink) - ink
        right = picture[:height, width:].clip(ink) - ink
        assert centre(below, channel)[0] == pytest.approx(x, abs=0.6)
        assert centre(right, channel)[1] == pytest.approx(y, abs=0.6)


@pytest.mark.parametrize(
    'codec',
    [
        dict(type='UDPHeatmap', sigma=2, **SIZES),
        dict(type='RegressionLabel', input_size=(192, 256)),
        dict(type='SimCCLabel', input_size=(192, 256)),
    ],
)
def test_keypoints_that_do_not_count_have_no_target(codec):
    crop = slice(0, 256 * SCALE), slice(0, 192 * SCALE)
    both, one = draw(codec), draw(codec, visible=(1, 0))
    green = [(x[..., 1].astype(int) - x[..., 0] > 100).any() for x in (both, one)]
    red = [(x[..., 2].astype(int) - x[..., 0] > 100).any() for x in (both, one)]
    assert (green, red) == ([True, False], [True, True])
    assert both[crop].shape == one[crop].shape


def test_without_targets_there_is_nothing_to_draw():
    crop = np.zeros((8, 6, 3), np.uint8)
    assert draw_targets(crop, 1, PoseDataSample(), None, COLOURS) is None
