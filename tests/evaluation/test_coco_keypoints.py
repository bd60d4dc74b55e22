"""What COCO's evaluation would fail at is said before poses are looked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_up import annotation, pose

from litehrnet_mm.cli import UserError
from litehrnet_mm.evaluation.coco_keypoints import (
    Persons,
    average_precision,
    check_evaluated,
)
from litehrnet_mm.runtime.model import ImageError
from litehrnet_mm.visualization import write_image


@pytest.fixture
def content() -> dict:
    """Two persons of COCO."""
    return dict(
        images=[dict(id=1, file_name='a.png', width=200, height=200)],
        categories=[dict(id=1, name='person')],
        annotations=[annotation(k, 1, pose(10 * k, 20, k)) for k in (1, 2)],
    )


def check(content: dict, path, keypoints: int = 17) -> None:
    path.write_text(json.dumps(content))
    check_evaluated(path, keypoints)


def test_what_coco_has_is_enough(content, tmp_path):
    check(content, tmp_path / 'x.json')
    del content['annotations'][1]['keypoints']  # as one of another category
    check(content, tmp_path / 'x.json')


@pytest.mark.parametrize('key', ['area', 'iscrowd', 'num_keypoints'])
def test_what_is_lacking_is_named(content, tmp_path, key):
    del content['annotations'][1][key]
    words = rf'x\.json: annotations\[1\] has no {key}, which .*AP needs'
    with pytest.raises(UserError, match=words):
        check(content, tmp_path / 'x.json')


def test_other_keypoints_than_coco_s(content, tmp_path):
    with pytest.raises(UserError, match=r'of 17 keypoints, .* finds 21: leave out'):
        check(content, tmp_path / 'x.json', 21)
    content['annotations'][0]['keypoints'] = [1, 1, 2] * 5
    with pytest.raises(UserError, match=r'annotations\[0\] has 15 values of keypoints'):
        check(content, tmp_path / 'x.json')
    content['annotations'][0] = 5
    with pytest.raises(UserError, match=r'annotations\[0\] has no area'):
        check(content, tmp_path / 'x.json')


def test_an_image_at_fault_is_named(tmp_path):
    path = tmp_path / 'a.png'
    write_image(path, np.zeros((9, 9, 3), np.uint8))

    def find(image, boxes):
        raise ImageError('nothing can be cut out')

    persons = [Persons(1, path, np.zeros((1, 4), np.float32))]
    with pytest.raises(UserError, match=r'image .*a\.png: nothing can be cut out'):
        average_precision(find, tmp_path / 'x.json', persons)
