"""Keypoints that a user declared, with every slip said before the run."""

import copy
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.keypoint_check import check_keypoints

TEMPLATE = 'configs/pose/custom/td-hm_litehrnet-18_8xb64-70e_custom-256x192.py'


def annotations(values: int) -> str:
    """Two persons on an image, one with so many values of keypoints, one without."""
    person = dict(id=7, image_id=1, category_id=1, bbox=[1, 2, 3, 4])
    return json.dumps(
        dict(
            images=[dict(id=1, file_name='1.jpg', width=9, height=9)],
            annotations=[dict(person, keypoints=[0] * values), dict(person, id=8)],
            categories=[dict(id=1, name='person')],
        )
    )


@pytest.fixture
def cfg(repository, tmp_path, monkeypatch) -> Config:
    """The template on an empty data set of five keypoints."""
    monkeypatch.setenv('CUSTOM_ROOT', str(tmp_path))
    folder = tmp_path / 'annotations'
    folder.mkdir()
    for split in ('train', 'val'):
        (folder / f'{split}.json').write_text(annotations(15))
    return Config.fromfile(repository / TEMPLATE)


def test_the_template_is_right(cfg):
    check_keypoints(cfg, ('train', 'val', 'test'))
    declared = cfg.train_dataloader.dataset.metainfo.keypoint_info
    assert len(declared) == cfg.model.head.out_channels == 5


SLIPS = {
    "left_eye swaps with 'right_ey', which does not": lambda info: info[
        'keypoint_info'
    ][1].update(swap='right_ey'),
    "nose swaps with 'left_eye', which does not": lambda info: info['keypoint_info'][
        0
    ].update(swap='left_eye'),
    'two keypoints of one name': lambda info: info['keypoint_info'][3].update(
        name='left_eye'
    ),
    'right_ear has the id 9, not 4': lambda info: info['keypoint_info'][4].update(id=9),
    'numbered from 0 to 3': lambda info: info['keypoint_info'].pop(2),
    "a line to 'chin'": lambda info: info['skeleton_info'][0].update(
        link=('nose', 'chin')
    ),
    'sigmas has 4 values for 5 keypoints': lambda info: info['sigmas'].pop(),
    'joint_weights has 6 values for 5': lambda info: info['joint_weights'].append(1.0),
}


@pytest.mark.parametrize('words', SLIPS)
@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_slips_in_the_declaration(cfg, words, split):
    dataset = cfg[f'{split}_dataloader'].dataset
    info = copy.deepcopy(dataset.metainfo.to_dict())
    SLIPS[words](info)
    dataset.metainfo = info
    where = f'{split}_dataloader.dataset.metainfo'
    with pytest.raises(UserError, match=f'{where}: .*{words}'):
        check_keypoints(cfg, (split,))


def test_another_number_of_keypoints_in_the_head(cfg):
    cfg.model.head.out_channels = 17
    with pytest.raises(
        UserError, match=r'5 keypoints, but model\.head\.out_channels=17'
    ):
        check_keypoints(cfg, ('train',))


def test_another_number_of_keypoints_in_the_annotations(cfg, tmp_path):
    path = tmp_path / 'annotations/val.json'
    path.write_text(annotations(51))
    check_keypoints(cfg, ('train',))
    with pytest.raises(UserError, match=r'val.json: annotation 7 has 51 .* take 15'):
        check_keypoints(cfg, ('train', 'val'))


STALE = [f'point {number}' for number in range(17)]


def with_stale_names(path: Path) -> None:
    """The file's category gets the names of keypoints that it had once."""
    content = json.loads(path.read_text())
    content['categories'][0].update(keypoints=STALE, skeleton=[[1, 2]])
    path.write_text(json.dumps(content))


def test_the_config_counts_and_not_what_categories_still_name(cfg, tmp_path):
    path = tmp_path / 'annotations/train.json'
    with_stale_names(path)
    check_keypoints(cfg, ('train',))
    with pytest.raises(UserError, match='17 keypoints take 51'):
        check_entries(path, json.loads(path.read_text()))
    path.write_text(annotations(51))
    with_stale_names(path)
    with pytest.raises(UserError, match=r'annotation 7 has 51 .* 5 keypoints take 15'):
        check_keypoints(cfg, ('train',))


def test_errors_of_loaders_are_not_blamed_on_stale_names(cfg, tmp_path):
    with_stale_names(tmp_path / 'annotations/train.json')
    with pytest.raises(TypeError, match='something else'), data_errors(cfg):
        raise TypeError('something else')


def test_data_sets_within_others_are_checked(cfg):
    inner = copy.deepcopy(cfg.train_dataloader.dataset.to_dict())
    inner['metainfo']['sigmas'] = []
    cfg.train_dataloader.dataset = dict(type='CombinedDataset', datasets=[inner])
    with pytest.raises(UserError, match='sigmas has 0 values'):
        check_keypoints(cfg, ('train',))
