"""JSON of a user: what it would take is known before, and not more than it may be."""

from __future__ import annotations

import contextlib
import gc
import json
import tracemalloc

import pytest
from coco_targets import annotations

from litehrnet_mm import files
from litehrnet_mm.checking import coco_file
from litehrnet_mm.checking.coco_file import read_json
from litehrnet_mm.cli import UserError
from litehrnet_mm.files import as_json
from litehrnet_mm.prediction.boxes import FileBoxes

UNITS = (
    '[]',
    '[0]',
    '[[]]',
    '{}',
    '{"a":0}',
    '{"a":0,"b":0,"c":0}',
    '"ab"',
    '"\u0101"',
    '"\U0001f600"',
    '":a"',
    r'"\":\":\":"',
    r'"\\"',
    '{"%d":0}',
    '"key%d":0',
    r'"\"\\%d" :0',
    json.dumps(dict.fromkeys(map(str, range(22)), 0)),
)


@pytest.mark.parametrize('unit', UNITS)
@pytest.mark.parametrize('count', [5000, 5462])  # since when an object has grown again
def test_what_json_takes_is_known_before(unit, count, monkeypatch):
    """No kind of list, object or text takes more memory than is reckoned with."""
    parts = [unit.replace('%d', str(k)) for k in range(count)]
    ends = '{}' if unit.endswith(':0') else '[]'
    content = f'{ends[0]}{",".join(parts)}{ends[1]}'.encode()
    tracemalloc.start()
    as_json(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    monkeypatch.setattr(files, 'MOST_MEMORY', peak - 3 * len(content))
    with pytest.raises(ValueError, match=r'so many lists, .* GB of memory: split it'):
        as_json(content)
    # The most by any single sign or text.
    monkeypatch.setattr(files, 'MOST_MEMORY', 240 * (unit.count('"') + 3) * count)
    assert len(as_json(content)) == count


def box(number: int) -> dict:
    """As detectors write them."""
    bbox = [1.5 + number, 2.5, 3.25, 4.125]
    return dict(image_id=number, category_id=1, bbox=bbox, score=0.9876 + number)


def exported(number: int) -> dict:
    """As CVAT writes annotations."""
    entry = dict(id=number, **box(number), area=1.5, iscrowd=0, segmentation=[])
    return dict(entry, attributes=dict(occluded=False, rotation=0.0))


@pytest.mark.parametrize(('kind', 'size'), [(box, 300), (exported, 240)])
def test_files_of_some_gigabyte_pass(kind, size, monkeypatch):
    """Of whose texts most are keys that return, and take no memory: by as much."""
    content = json.dumps([kind(number) for number in range(2000)]).encode()
    limit = files.MOST_MEMORY * len(content) // (size << 20)
    monkeypatch.setattr(files, 'MOST_MEMORY', limit)
    assert len(as_json(content)) == 2000


def test_texts_without_an_end_are_looked_at_once(monkeypatch):
    monkeypatch.setattr(files, 'MOST_MEMORY', 1000)
    for content in (b'["' + b'\\"' * 300_000, b'["' + b'\\' * 300_001):
        with pytest.raises(ValueError, match='not valid JSON'):
            as_json(content)


def test_json_that_grows_too_large_is_refused_in_a_line(tmp_path, monkeypatch):
    path = tmp_path / 'x.json'
    path.write_bytes(b'[' + b'[],' * 10 + b'[]]')
    monkeypatch.setattr(files, 'MOST_MEMORY', 1000)
    with pytest.raises(UserError, match=r'annotation file .*x\.json has so many lists'):
        read_json(path)


def test_annotations_of_coco_s_size_pass(shared_data, monkeypatch):
    """By as much: those of train2017 have 239 MB, of detected boxes some 200."""
    data = shared_data / 'coco_mini_val/person_keypoints_val.json'
    boxes = shared_data / 'mmpose_samples/coco/test_coco_det_AP_H_56.json'
    most = files.MOST_MEMORY
    for path, size in ((data, 600), (boxes, 450)):
        content = path.read_bytes()
        monkeypatch.setattr(files, 'MOST_MEMORY', most * len(content) // (size << 20))
        as_json(content)


@pytest.mark.parametrize('content', [b'[[],[]]', b'[[],[}'])
def test_the_collector_rests_while_json_is_decoded(content, monkeypatch):
    seen = []
    loads = json.loads
    monkeypatch.setattr(
        files.json, 'loads', lambda text: seen.append(gc.isenabled()) or loads(text)
    )
    with contextlib.suppress(ValueError):
        as_json(content)
    assert seen == [False]
    assert gc.isenabled()


@pytest.mark.parametrize('kind', ['pipeline', 'record'])
def test_small_kinds_of_json_are_small(kind, tmp_path):
    path = tmp_path / 'x.json'
    with path.open('wb') as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(UserError, match=f'{kind} .* it is larger than 16 MB'):
        read_json(path, kind)


def test_boxes_are_decoded_once(tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        coco_file, 'as_json', lambda content: decoded.append(1) or as_json(content)
    )
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(annotations(0)))
    boxes = FileBoxes.read(path, 0)
    assert decoded == [1]
    assert boxes.knows('1.jpg')
    assert not boxes.knows('7.jpg')
