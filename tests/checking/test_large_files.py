"""The work that annotations make grows as they do, and not faster."""

from __future__ import annotations

import json

import pytest
from coco_targets import annotations, person

from litehrnet_mm.checking import findings as checking_findings
from litehrnet_mm.checking.coco_annotations import (
    MOST_KEYPOINTS,
    with_guessed_keypoints,
)
from litehrnet_mm.checking.coco_entries import Category
from litehrnet_mm.checking.coco_file import read_coco
from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.checking.findings import ERROR, Findings
from litehrnet_mm.checking.keypoints import Keypoints, check_names
from litehrnet_mm.cli import UserError
from litehrnet_mm.values import shown


class Name(str):
    """A name that counts how often one was compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


class Counted(list):
    """A list that counts how often it was gone through."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_each_name_is_looked_up_and_not_looked_for():
    count = 300
    names = [
        Name(f'{side}_{k}') for k in range(count // 2) for side in ('left', 'right')
    ]
    Name.compared = 0
    found = Keypoints.by_names(names)
    check_names(Findings(), 'x', found)
    assert found.partners[:4] == (1, 0, 3, 2)
    assert Name.compared < 10 * count  # and by search, some count²/2


def test_annotations_are_gone_through_once_for_all_categories():
    persons = Counted([dict(category_id=k, keypoints=[0] * 6) for k in range(50)])
    found = with_guessed_keypoints(
        {k: Category(None, True) for k in range(50)}, persons
    )
    assert [x.keypoints.names for x in found.values()] == [
        ('keypoint 0', 'keypoint 1')
    ] * 50
    assert persons.times == 1


def test_as_many_keypoints_as_most_annotations_have():
    counts = (2, 3, 3, MOST_KEYPOINTS + 7)
    persons = [dict(category_id=1, keypoints=[0] * 3 * n) for n in counts]
    found = with_guessed_keypoints({1: Category(None, True)}, persons)
    assert len(found[1].keypoints.names) == 3


def test_too_many_keypoints_of_no_name_are_refused(tmp_path):
    content = annotations(0)
    del content['categories'][0]['keypoints']
    for one in content['annotations']:
        one['keypoints'] = [0] * (3 * MOST_KEYPOINTS + 3)
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f'3003 values of keypoints, and {1000}'):
        check_entries(path, read_coco(path))


def test_of_a_long_text_no_more_is_looked_at_than_is_shown():
    class Long(str):
        def isprintable(self) -> bool:
            raise AssertionError('all of it was looked at')

        __repr__ = isprintable

    assert shown(Long('a' * 10**6)) == f'{"a" * 59}…'
    assert shown(Long('a\n' * 10**6), 8) == "'a\\na\\n…"
    assert shown(Long('a\n')) == "'a\\n'"


def test_findings_beyond_many_are_counted(monkeypatch):
    monkeypatch.setattr(checking_findings, 'KEPT', 3)
    found = Findings()
    for k in range(10):
        found.add('box-empty', f'annotation {k}')
        found.add('box-value', f'annotation {k}')
    assert len(found.items) == 6
    assert found.count(ERROR) == 20
    text = found.as_text(2)
    assert 'error: boxes of no area: 10\n    annotation 0\n' in text
    assert text.endswith('    annotation 1\n    ... and 8 more')
    assert found.as_text(5).endswith('    annotation 2\n    ... and 7 more')


def test_persons_without_a_box_are_all_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(checking_findings, 'KEPT', 1)
    content = annotations(0)
    for k in (1, 2, 3):
        content['annotations'].append(person(100 + k, k))
        del content['annotations'][-1]['bbox']
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content))
    assert check_entries(path, read_coco(path)) == (3, 'annotation 101 of 1.jpg')
