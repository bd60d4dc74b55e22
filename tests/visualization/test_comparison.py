"""Ground truth on the left, prediction on the right, at a size to look at."""

from __future__ import annotations

import numpy as np
import pytest

from litehrnet_mm.visualization import PoseStyle, compare_person, compare_poses
from litehrnet_mm.visualization.comparison import MAX_SIDE, MIN_HEIGHT, MIN_WIDTH
from litehrnet_mm.visualization.pictures import CAPTION_HEIGHT, GAP, add_caption

RED, GREEN = (0, 0, 255), (0, 255, 0)
STYLE = PoseStyle(keypoint_colours=(RED, GREEN), links=(), link_colours=())


def at(x: float, y: float, **more) -> dict:
    """A person with the first keypoint only."""
    return dict(keypoints=[x, y, 2, 0, 0, 0], **more)


def reds(picture: np.ndarray) -> np.ndarray:
    """Middle (x, y) of what is red."""
    rows, cols = np.nonzero((picture == RED).all(axis=2))
    return np.array([cols.mean(), rows.mean()])


@pytest.mark.parametrize(
    ('shape', 'panel'),
    [
        ((480, 640), (480, 640)),
        ((48, 64), (480, 640)),  # enlarged
        ((1500, 2000), (768, 1024)),  # reduced
        ((2000, 500), (1024, MIN_WIDTH)),  # reduced, and a margin for the caption
        ((100, 1000), (102, 1024)),  # too wide to become as high as others
    ],
)
def test_size(shape, panel):
    image = np.full((*shape, 3), 128, np.uint8)
    picture = compare_poses(image, [], [], STYLE)
    height, width = panel
    assert picture.shape == (height + CAPTION_HEIGHT, 2 * width + GAP, 3)
    assert max(panel) <= MAX_SIDE
    alone = compare_poses(image, None, [], STYLE)
    assert alone.shape == (height + CAPTION_HEIGHT, width, 3)


@pytest.mark.parametrize('scale', [0.25, 1, 4])
def test_truth_is_on_the_left_and_prediction_on_the_right(scale):
    height, width = int(MIN_HEIGHT / scale), int(640 / scale)
    image = np.zeros((height, width, 3), np.uint8)
    truth, predicted = at(width / 4, height / 2), at(width / 2, height / 4)
    picture = compare_poses(image, [truth], [predicted], STYLE)[CAPTION_HEIGHT:]
    side = (picture.shape[1] - GAP) // 2
    ratio = side / width
    found = reds(picture[:, :side]), reds(picture[:, side + GAP :])
    expected = [
        np.array([p['keypoints'][0], p['keypoints'][1]]) for p in (truth, predicted)
    ]
    for place, point in zip(found, expected):
        assert place == pytest.approx((point + 0.5) * ratio - 0.5, abs=0.6)


def test_the_caption_says_what_is_missing():
    image = np.zeros((480, 640, 3), np.uint8)
    captions = [
        compare_poses(image, truth, [], STYLE, left_out)[:CAPTION_HEIGHT, -640:]
        for truth, left_out in (([], 0), ([], 3), (None, 0))
    ]
    dark = [np.nonzero((c < 100).any(axis=(0, 2)))[0].max() for c in captions]
    assert dark[0] < dark[1]
    assert dark[0] < dark[2]


@pytest.mark.parametrize(
    'box', [(100, 100, 30, 60), (0, 0, 50, 20), (160, 110, 40, 90)]
)
def test_a_person_is_cut_out_whole(box):
    """The box, drawn white, is in both dimensions within the square."""
    image = np.zeros((200, 200, 3), np.uint8)
    x, y, w, h = box
    truth = at(x + w / 2, y + h / 2, bbox=list(box))
    picture = compare_person(image, truth, [at(x + 3, y + 3)], STYLE, 'caption', 300)
    assert picture.shape == (300 + CAPTION_HEIGHT, 600 + GAP, 3)
    left = picture[CAPTION_HEIGHT:, :300]
    rows, cols = np.nonzero((left == 255).all(axis=2))
    longest = max(np.ptp(rows), np.ptp(cols))
    assert 230 <= longest <= 290
    assert reds(left) == pytest.approx([cols.mean(), rows.mean()], abs=3)
    assert (picture[CAPTION_HEIGHT:, 300 + GAP :] == RED).all(axis=2).any()


def test_a_person_has_the_size_that_is_asked_for():
    image = np.zeros((200, 200, 3), np.uint8)
    truth = at(120, 120, bbox=[100, 100, 40, 40])
    picture = compare_person(image, truth, [], STYLE, '', size=120)
    assert picture.shape == (120 + CAPTION_HEIGHT, 240 + GAP, 3)


def test_the_caption_of_a_person_is_the_one_given():
    image = np.zeros((200, 200, 3), np.uint8)
    truth = at(120, 120, bbox=[100, 100, 40, 40])
    picture = compare_person(image, truth, [], STYLE, 'AP 0.5')
    expected = add_caption(picture[CAPTION_HEIGHT:], 'AP 0.5')
    assert np.array_equal(picture, expected)


def test_a_prediction_that_strays_is_followed_to_twice_the_box():
    image = np.zeros((1000, 1000, 3), np.uint8)
    truth = at(520, 520, bbox=[500, 500, 40, 40])
    near, far = at(550, 520), at(900, 520)
    sides = []
    for predicted in (near, far):
        picture = compare_person(image, truth, [predicted], STYLE, '', 300)
        left = picture[CAPTION_HEIGHT:, :300]
        sides.append(np.ptp(np.nonzero((left == 255).all(axis=2))[1]))
    # A box of 40 pixels in a square of 1.15 · 50, and of 1.15 · 60.
    assert sides[0] == pytest.approx(300 * 40 / (1.15 * 50), abs=6)
    assert sides[1] == pytest.approx(300 * 40 / (1.15 * 60), abs=6)
