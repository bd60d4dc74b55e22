"""Skeletons on images: where, in which colours, and how thick."""

from __future__ import annotations

import numpy as np
import pytest

from litehrnet_mm.visualization import PoseStyle, as_annotation, draw_people
from litehrnet_mm.visualization.poses import LEFT, MIDDLE, RIGHT, line_width

META = dict(
    keypoint_colors=np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8),
    skeleton_links=[(0, 1)],
    skeleton_link_colors=np.array([[100, 110, 120]], np.uint8),
)
STYLE = PoseStyle.from_meta(META)


def black(size: int = 400) -> np.ndarray:
    return np.zeros((size, size, 3), np.uint8)


def person(*levels: int, bbox: tuple | None = None) -> dict:
    """Three keypoints at (100, 100), (300, 100) and (200, 300)."""
    places = [(100, 100), (300, 100), (200, 300)]
    keypoints = [x for (a, b), v in zip(places, levels) for x in (a, b, v)]
    return dict(keypoints=keypoints, **({'bbox': bbox} if bbox else {}))


def test_colours_of_a_data_set_are_rgb_and_ours_bgr():
    drawn = draw_people(black(), [person(2, 2, 2)], STYLE, thickness=3)
    assert drawn[100, 100].tolist() == [30, 20, 10]
    assert drawn[100, 300].tolist() == [60, 50, 40]
    assert drawn[300, 200].tolist() == [90, 80, 70]
    assert drawn[100, 200].tolist() == [120, 110, 100]
    assert not drawn[200, 150].any()  # no link between 0 and 2


@pytest.mark.parametrize('far', [1e9, -1e9, 3e38])
def test_what_is_far_outside_is_drawn_as_far_as_can_be(far):
    one = person(2, 2, 2, bbox=(0, 0, abs(far), abs(far)))
    one['keypoints'][3] = far
    drawn = draw_people(black(), [one], STYLE, thickness=3)
    assert drawn[100, 100].tolist() == [30, 20, 10]
    there, away = (100, 200) if far > 0 else (100, 50), (200, 200)
    assert drawn[there].tolist() == [120, 110, 100]
    assert not drawn[away].any()


def test_colours_by_side():
    style = PoseStyle.by_side(['left_a', 'right_a', 'top'], [(0, 0), (0, 1), (1, 1)])
    assert style.keypoint_colours == (LEFT, RIGHT, MIDDLE)
    assert style.links == ((0, 0), (0, 1), (1, 1))
    assert style.link_colours == (LEFT, MIDDLE, RIGHT)


def test_what_is_hidden_is_a_ring_and_what_is_unlabelled_is_not_drawn():
    drawn = draw_people(black(), [person(1, 0, 2)], STYLE, thickness=3)
    assert not drawn[100, 100].any()  # within the ring
    assert drawn[90:110, 90:110].any()
    assert not drawn[:, 220:].any()
    assert drawn[300, 200].any()


@pytest.mark.parametrize('thickness', [1, 9])
def test_lines_are_as_thick_as_asked_for(thickness):
    drawn = draw_people(black(), [person(2, 2, 0)], STYLE, thickness=thickness)
    across = drawn[80:120, 200].max(axis=1)
    assert thickness <= np.count_nonzero(across > 60) <= thickness + 2


def test_lines_to_hidden_keypoints_are_thinner():
    widths = [
        np.count_nonzero(
            draw_people(black(), [one], STYLE, thickness=4)[80:120, 200, 0] > 60
        )
        for one in (person(2, 2, 0), person(1, 2, 0))
    ]
    assert widths[0] > widths[1] >= 2


def test_keypoints_by_confidence():
    points = np.arange(10.0).reshape(5, 2)
    scores = np.array([0.0, 0.29, 0.3, 0.5, 1.0])
    found = as_annotation(points, scores, np.array([1, 2, 3, 4], np.float32))
    assert found['keypoints'][:, 2].tolist() == [0, 0, 1, 2, 2]
    assert np.array_equal(found['keypoints'][:, :2], points)
    assert found['bbox'] == [1, 2, 3, 4]
    assert 'bbox' not in as_annotation(points, scores)


def test_a_dot_fills_its_ring_as_far_as_the_network_is_sure():
    style = PoseStyle(((0, 0, 200),) * 3, (), ())
    coloured, white = [], []
    for score in (0.4, 0.7, 1.0):
        points = np.array([[100.0, 100], [300, 100], [200, 300]])
        found = as_annotation(points, np.array([0, 0, score]))
        patch = draw_people(black(), [found], style, thickness=4)[280:320, 180:220]
        assert patch[20, 20].tolist() == [0, 0, 200]
        coloured.append(np.count_nonzero((patch == [0, 0, 200]).all(axis=2)))
        white.append(patch[..., 0].sum())  # the dot has no blue
    assert coloured[0] < coloured[1]
    assert white[0] > white[1] > white[2] == 0


@pytest.mark.parametrize(('side', 'width'), [(20, 1), (100, 1), (200, 2), (2000, 4)])
def test_lines_follow_the_size_of_a_person(side, width):
    assert line_width(dict(keypoints=[0, 0, 2], bbox=[0, 0, side, side])) == width
    assert line_width(dict(keypoints=[0, 0, 2, side, side, 2])) == width
    assert line_width(dict(keypoints=[0, 0, 0, side, side, 2])) == 1


def test_near_keypoints_stay_apart_on_a_large_person():
    eyes = dict(
        keypoints=[100, 100, 2, 300, 300, 0, 110, 100, 2], bbox=[0, 0, 400, 400]
    )
    drawn = draw_people(black(), [eyes], STYLE)
    assert drawn[100, 100].any()
    assert drawn[100, 110].any()
    assert not drawn[95:105, 105].any()


def test_a_box_beyond_the_image_is_drawn_along_its_border():
    drawn = draw_people(black(), [person(0, 0, 0, bbox=(-50, 20, 900, 100))], STYLE)
    white = (drawn == 255).all(axis=2)
    assert white[20].all()
    assert white[119].all()
    assert white[20:120, 0].all()
    assert white[20:120, -1].all()
    assert np.count_nonzero(white) == 2 * 400 + 2 * 98
