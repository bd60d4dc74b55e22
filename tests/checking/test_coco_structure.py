"""Annotation files whose entries cannot be used are refused before a run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from coco_targets import annotations, pose_config, start_run
from mmengine.config import Config

from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.evaluation.coco_keypoints import read_persons
from litehrnet_mm.evaluation.coco_submission import check_results
from litehrnet_mm.prediction.boxes import FileBoxes

FAULTS = {
    'a text as id': (('images', 0, 'id'), '1', 'id is 1, not a whole number'),
    'no width': (('images', 0, 'width'), None, 'width is None'),
    'two images of one id': (('images', 1, 'id'), 1, 'whose id another image has'),
    'a text as image_id': (('annotations', 0, 'image_id'), '1', 'image_id is 1'),
    'no such image': (('annotations', 0, 'image_id'), 99, 'image_id 99'),
    'no such category': (('annotations', 0, 'category_id'), 7, 'category_id 7'),
    'two persons of one id': (('annotations', 1, 'id'), 10, 'another annotation has'),
    'a box of NaN': (('annotations', 0, 'bbox', 0), float('nan'), 'four numbers'),
    'three numbers': (('annotations', 0, 'bbox'), [1, 2, 3], 'four numbers'),
    'a keypoint of texts': (('annotations', 0, 'keypoints', 3), 'x', 'not numbers'),
    'one value less': (('annotations', 0, 'keypoints'), [1] * 8, '3 keypoints take 9'),
    'no object': (('annotations', 0), 5, '5 where an object is expected'),
    'a huge number': (('annotations', 0, 'area'), 10**400, 'area is 1000'),
}


def with_fault(path: tuple, value: object) -> dict:
    content = annotations(0)
    *outer, key = path
    node = content
    for step in outer:
        node = node[step]
    node[key] = value
    return content


@pytest.mark.parametrize('name', FAULTS)
def test_a_run_is_refused(tmp_path, name):
    path, value, words = FAULTS[name]
    (tmp_path / 'images').mkdir()
    (tmp_path / 'x.json').write_text(json.dumps(with_fault(path, value)))
    with pytest.raises(UserError, match=words) as refused:
        start_run(tmp_path)
    said = str(refused.value)
    assert str(tmp_path / 'x.json') in said
    assert said.isprintable()
    with pytest.raises(UserError, match=words):
        read_persons(tmp_path / 'x.json', tmp_path / 'images')


def test_sound_annotations_start(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'x.json').write_text(json.dumps(annotations(0)))
    assert check_entries(tmp_path / 'x.json', annotations(0)) == (0, '')
    assert start_run(tmp_path)[:2] == (6, True)


def test_persons_that_are_not_used_are_named(tmp_path):
    content = annotations(0)
    del content['annotations'][0]['bbox']
    (tmp_path / 'images').mkdir()
    (tmp_path / 'x.json').write_text(json.dumps(content))
    count, _, said = start_run(tmp_path)
    assert count == 5
    assert '1 of 6 annotations have no box or no keypoints and are not used' in said
    with pytest.raises(UserError, match='has no box or no keypoints'):
        read_persons(tmp_path / 'x.json', tmp_path / 'images')


def test_errors_of_loaders_are_told_by_the_entry_at_fault(tmp_path):
    """Where keypoints are not written out in the config, entries are looked at last."""
    (tmp_path / 'images').mkdir()
    content = with_fault(('images', 0, 'id'), ['x'])
    (tmp_path / 'x.json').write_text(json.dumps(content))
    cfg = Config(dict(train_dataloader=pose_config(tmp_path).train_dataloader))
    for error in (TypeError('unhashable'), RecursionError(), OverflowError()):
        expected = pytest.raises(UserError, match=r'x\.json.*not a whole number')
        with expected, data_errors(cfg):
            raise error


def box(**changes: object) -> list[dict]:
    one = dict(image_id=1, bbox=[1, 2, 3, 4], score=0.5, category_id=1)
    return [one, {**one, **changes}]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(category_id='1'), 'the category_id 1, not'),
        (dict(iscrowd='no'), 'iscrowd no'),
        (dict(bbox=[1, 2, 3, '9' * 5000]), 'bbox'),
    ],
)
def test_boxes_that_say_nothing(tmp_path, changes, words):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(box(**changes)))
    with pytest.raises(UserError, match=words) as refused:
        FileBoxes.read(path, 0)
    assert len(str(refused.value)) < 300 + len(str(path))


def test_boxes_of_no_area_are_left_out_and_counted(tmp_path, capsys):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(box(bbox=[1, 2, 0, 4])))
    found = FileBoxes.read(path, 0)
    assert found.by_id[1].shape == (1, 5)
    assert '1 boxes of no area are left out' in capsys.readouterr().err


def test_two_images_of_one_name(tmp_path):
    path = tmp_path / 'x.json'
    content = annotations(0)
    content['images'][1]['file_name'] = content['images'][0]['file_name']
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match='one file_name or one id'):
        FileBoxes.read(path, 0)


@pytest.mark.parametrize('value', [True, 1.0, '1'])
def test_a_category_of_a_submission_is_a_whole_number(value):
    entry = dict(image_id=1, category_id=value, keypoints=[0.0] * 51, score=1.0)
    with pytest.raises(UserError, match='category_id must be 1'):
        check_results([entry], [1])


@pytest.mark.parametrize('value', [10**400, 1e300, np.inf])
def test_numbers_of_a_submission_are_of_a_sensible_size(value):
    entry = dict(image_id=1, category_id=1, keypoints=[0.0] * 51, score=value)
    with pytest.raises(UserError, match='finite numbers'):
        check_results([entry], [1])
