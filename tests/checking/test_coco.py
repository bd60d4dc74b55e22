"""Faults of annotation files: each is found, mended, and nothing else is."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from litehrnet_mm.checking.coco import CocoSet
from litehrnet_mm.checking.coco_annotations import segmentation_fault
from litehrnet_mm.checking.findings import ERROR, WARNING
from litehrnet_mm.checking.keypoints import Keypoints
from litehrnet_mm.cli import UserError

NAMES = ['nose', 'left_eye', 'right_eye']
POINTS = [30, 20, 2, 35, 15, 2, 25, 15, 1]
WIDTH, HEIGHT = 64, 48


@pytest.fixture
def content(tmp_path) -> dict:
    """An annotation file of three images, a person on each, without a fault."""
    images, annotations = [], []
    pixels = np.random.default_rng(0)
    for number in (1, 2, 3):
        name = f'{number}.jpg'
        picture = pixels.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        (tmp_path / 'images').mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / 'images' / name), picture)
        images.append(dict(id=number, file_name=name, width=WIDTH, height=HEIGHT))
        annotations.append(
            dict(
                **dict(id=10 + number, image_id=number, category_id=1, iscrowd=0),
                **dict(bbox=[10, 5, 40, 30], area=1200.5, num_keypoints=3),
                keypoints=list(POINTS),
            )
        )
    categories = [dict(id=1, name='person', keypoints=NAMES)]
    return dict(images=images, annotations=annotations, categories=categories)


def look(content: object, folder: Path, keypoints: Keypoints | None = None):
    """Write an annotation file and look through it; the set, and what came of it."""
    path = folder / 'annotations.json'
    path.write_text(json.dumps(content))
    one = CocoSet(('coco',), path, folder / 'images', keypoints)
    return one, one.inspect(jobs=1)


def kinds(inspection, *levels: str) -> dict[str, str]:
    """Kinds of what was found, with the last value of each."""
    found = inspection.findings.items
    return {x.kind: str(x) for x in found if not levels or x.level in levels}


def test_a_good_file_has_no_fault(content, tmp_path):
    _, found = look(content, tmp_path)
    assert kinds(found) == {}
    assert '3 images, 3 annotations, 3 with labelled keypoints' in found.title


def first(key: str, value: object):
    """A change of the first annotation."""
    return lambda c: c['annotations'][0].update({key: value})


def image(key: str, value: object):
    """A change of the first image."""
    return lambda c: c['images'][0].update({key: value})


def points(*changes: tuple[int, object]):
    """A change of values of the first annotation's keypoints."""

    def change(content: dict) -> None:
        for index, value in changes:
            content['annotations'][0]['keypoints'][index] = value

    return change


ERRORS = {
    'image-missing': (image('file_name', 'no.jpg'), 'images/no.jpg'),
    'image-size': (image('width', 65), '1.jpg: 64x48, annotated as 65x48'),
    'image-entry': (image('height', '48'), 'image 1: height is 48, not a number'),
    'image-id': (
        lambda c: c['images'].append(dict(c['images'][0], file_name='2.jpg')),
        'image 1: 2.jpg',
    ),
    'annotation-entry': (first('image_id', None), 'image_id is None, not a whole'),
    'annotation-id': (first('id', 12), 'annotation 12 of 2.jpg'),
    'annotation-image': (first('image_id', 9), 'annotation 11: image_id 9'),
    'category-entry': (
        lambda c: c['categories'].append(dict(id='2', name='dog')),
        'categories[1]: id is 2, not a whole number',
    ),
    'category-id': (first('category_id', 7), 'annotation 11 of 1.jpg: category_id 7'),
    'box-value': (first('bbox', [1, 2, 3]), 'annotation 11 of 1.jpg: [1, 2, 3]'),
    'box-empty': (first('bbox', [10, 5, 40, 0]), '[10, 5, 40, 0]'),
    'box-outside': (first('bbox', [70, 5, 9, 9]), '[70, 5, 9, 9], image 64x48'),
    'keypoint-value': (points((3, float('nan'))), '[30, 20, 2, nan, 15'),
    'keypoint-count': (first('keypoints', POINTS[:6]), '6 values of keypoints, and 3'),
    'keypoint-visibility': (points((5, 3)), 'left_eye at (35, 15), visibility 3'),
    'keypoint-outside': (points((3, 66)), 'left_eye at (66, 15), visibility 2'),
    'num-keypoints': (first('num_keypoints', 2), '2, and 3 are labelled'),
}


@pytest.mark.parametrize('kind', ERRORS)
def test_errors_are_found_and_mended(content, tmp_path, kind):
    spoil, words = ERRORS[kind]
    spoil(content)
    one, found = look(content, tmp_path)
    assert words in kinds(found, ERROR)[kind]
    assert len(kinds(found, ERROR)) == 1
    lines = one.mend(found, tmp_path / 'mended.json')
    assert len(lines) > 1 or kind == 'category-entry'  # what was changed
    mended = json.loads((tmp_path / 'mended.json').read_text())
    _, again = look(mended, tmp_path)
    assert kinds(again, ERROR) == {}
    assert len(mended['images']) >= 2
    assert len(mended['annotations']) >= 2


WARNINGS = {
    'image-twice': (image('file_name', '2.jpg'), '2.jpg: 2 ids'),
    'image-outside': (
        image('file_name', '../images/1.jpg'),
        'image 1: ../images/1.jpg',
    ),
    'id-zero': (first('id', 0), 'annotation 0 of 1.jpg'),
    'not-evaluated': (lambda c: c['annotations'][0].pop('area'), 'has no area'),
    'no-keypoints': (lambda c: c['annotations'][0].pop('bbox'), 'has no bbox'),
    'box-beyond': (first('bbox', [-5, 5, 50, 30]), '[-5, 5, 50, 30], image 64x48'),
    'segmentation': (
        first('segmentation', [[1, 2, 3]]),
        '1.jpg: polygon 0 has 3 values',
    ),
    'keypoint-off-box': (first('bbox', [10, 5, 13, 30]), 'left_eye at (35, 15)'),
    'keypoint-corner': (points((6, 0), (7, 0)), 'right_eye at (0, 0), visibility 1'),
    'keypoint-unflagged': (
        lambda c: (points((5, 0))(c), first('num_keypoints', 2)(c)),
        'left_eye at (35, 15), visibility 0',
    ),
    'keypoint-names': (
        lambda c: c['categories'][0].update(keypoints=['nose', 'left_eye', 'ear']),
        'left_eye has no partner right_eye',
    ),
}


@pytest.mark.parametrize('kind', WARNINGS)
def test_warnings(content, tmp_path, kind):
    spoil, words = WARNINGS[kind]
    spoil(content)
    one, found = look(content, tmp_path)
    assert words in kinds(found, WARNING)[kind]
    assert kinds(found, ERROR) == {}
    one.mend(found, tmp_path / 'mended.json')
    mended = json.loads((tmp_path / 'mended.json').read_text())
    assert mended['images'] == content['images']


TRIANGLE = [10, 5, 40.5, 5, 10, 30]
SEGMENTATIONS = {
    'polygon 0 has 4 values, not an even number of at least 6': [[1, 2, 3, 4]],
    'polygon 1 has 7 values': [TRIANGLE, [*TRIANGLE, 1]],
    'polygon 1 is a, not a list of numbers': [TRIANGLE, 'a'],
    "polygon 0 is ['1', '2'": [['1', '2', '3', '4', '5', '6']],
    'polygon 0 is [nan': [[float('nan'), *TRIANGLE[1:]]],
    'polygon 0 is 10': TRIANGLE,
    'polygon 0 has 0 values': [[]],
    'polygon 0 is {': [dict(size=[48, 64], counts='1')],
    'None where polygons': None,
    '5 where polygons': 5,
    'size is None': dict(counts=[5]),
    'size is [48]': dict(size=[48], counts=[5]),
    'size is [48.5, 64]': dict(size=[48.5, 64], counts=[5]),
    'size is AB': dict(size='AB', counts=[5]),
    'counts is None': dict(size=[48, 64]),
    'counts is [1, -1]': dict(size=[48, 64], counts=[1, -1]),
    "counts is ['1']": dict(size=[48, 64], counts=['1']),
}


@pytest.mark.parametrize('words', SEGMENTATIONS)
def test_segmentations_that_are_none(content, tmp_path, words):
    content['annotations'][0]['segmentation'] = SEGMENTATIONS[words]
    one, found = look(content, tmp_path)
    assert list(kinds(found)) == ['segmentation']
    assert f'annotation 11 of 1.jpg: {words}' in kinds(found, WARNING)['segmentation']
    lines = one.mend(found, tmp_path / 'mended.json')
    assert '    1 segmentations left out' in lines
    mended = json.loads((tmp_path / 'mended.json').read_text())
    assert 'segmentation' not in mended['annotations'][0]
    assert kinds(look(mended, tmp_path)[1]) == {}


@pytest.mark.parametrize(
    'value',
    [
        [],
        [TRIANGLE],
        [TRIANGLE, [*TRIANGLE, -1, 2]],
        dict(size=[48, 64], counts=[0, 10, 3062]),
        dict(size=[48, 64], counts='PZ1'),
    ],
)
def test_segmentations_in_each_of_coco_s_forms(content, tmp_path, value):
    content['annotations'][0]['segmentation'] = value
    one, found = look(content, tmp_path)
    assert kinds(found) == {}
    one.mend(found, tmp_path / 'mended.json')
    mended = json.loads((tmp_path / 'mended.json').read_text())
    assert mended['annotations'][0]['segmentation'] == value


def test_segmentations_of_coco_itself_pass(shared_data):
    path = shared_data / 'coco_mini_val/person_keypoints_val.json'
    found = [x['segmentation'] for x in json.loads(path.read_text())['annotations']]
    assert {type(x) for x in found} == {list, dict}
    assert [x for x in map(segmentation_fault, found) if x] == []


def test_a_hidden_keypoint_may_lie_outside_the_box(content, tmp_path):
    content['annotations'][0]['keypoints'] = [60, 40, 1, 35, 15, 2, 25, 15, 1]
    _, found = look(content, tmp_path)
    assert kinds(found) == {}


def test_what_mending_does(content, tmp_path):
    content['annotations'][0].update(bbox=[-5, 5, 50, 30])
    content['annotations'][1].update(keypoints=[30, 20, 2, 99, 15, 2, 25, 15, 1])
    content['annotations'][2].update(id=11)
    content['annotations'].append(copy.deepcopy(content['annotations'][0]))
    one, found = look(content, tmp_path)
    lines = one.mend(found, tmp_path / 'mended.json')
    mended = json.loads((tmp_path / 'mended.json').read_text())['annotations']
    assert [x['id'] for x in mended] == [11, 12, 13]
    assert mended[0]['bbox'] == [0, 5, 45, 30]
    assert mended[1]['keypoints'] == [30, 20, 2, 0, 0, 0, 25, 15, 1]
    assert mended[1]['num_keypoints'] == 2
    text = '\n'.join(lines)
    assert '2 boxes cut to their image' in text
    assert '1 keypoints taken for not labelled' in text
    assert '1 annotations with a new id' in text
    assert '1 annotations left out: the same as another' in text


def test_notes(content, tmp_path):
    content['annotations'][0].update(iscrowd=1, keypoints=[0] * 9, num_keypoints=0)
    content['annotations'].pop()
    _, found = look(content, tmp_path)
    assert set(kinds(found)) == {'crowd-only', 'image-bare', 'unlabelled'}


@pytest.mark.parametrize('key', ['images', 'annotations'])
def test_empty_sets(content, tmp_path, key):
    content[key] = []
    _, found = look(content, tmp_path)
    assert 'annotations.json: no' in kinds(found, ERROR)['empty']


def spoil_file(path: Path, how: str) -> None:
    """Spoil an image file."""
    data = path.read_bytes()
    if how == 'cut off':
        path.write_bytes(data[: len(data) * 3 // 4])
    elif how == 'cut PNG':
        assert cv2.imwrite(str(path.with_suffix('.png')), cv2.imread(str(path)))
        data = path.with_suffix('.png').read_bytes()
        path.write_bytes(data[: len(data) * 3 // 4])
    elif how == 'folder':
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(b'' if how == 'empty' else b'no picture')


@pytest.mark.parametrize('how', ['cut off', 'cut PNG', 'folder', 'empty', 'text'])
def test_images_that_cannot_be_decoded(content, tmp_path, how):
    spoil_file(tmp_path / 'images/2.jpg', how)
    one, found = look(content, tmp_path)
    assert 'images/2.jpg: ' in kinds(found, ERROR)['image-unreadable']
    one.mend(found, tmp_path / 'mended.json')
    mended = json.loads((tmp_path / 'mended.json').read_text())
    assert [x['id'] for x in mended['images']] == [1, 3]
    assert [x['image_id'] for x in mended['annotations']] == [1, 3]


def test_a_header_alone_is_not_enough(content, tmp_path):
    """OpenCV makes a picture of a file that was cut off: decoding it says nothing."""
    path = tmp_path / 'images/2.jpg'
    spoil_file(path, 'cut off')
    with Image.open(path) as picture:
        assert picture.size == (WIDTH, HEIGHT)
    assert cv2.imread(str(path)) is not None
    _, found = look(content, tmp_path)
    assert 'truncated' in kinds(found)['image-unreadable']


def test_an_image_turned_by_exif(content, tmp_path):
    path = tmp_path / 'images/1.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as picture:
        picture.load()
    picture.save(path, exif=exif)
    _, found = look(content, tmp_path)
    said = '48x64, annotated as 64x48 (turned by EXIF)'
    assert said in kinds(found)['image-size']


CONFIG = Keypoints(('nose', 'left_eye', 'right_eye'), (0, 2, 1))


@pytest.mark.parametrize(
    ('names', 'kind'),
    [
        (['nose', 'left_eye', 'right_eye'], None),
        (['Nose', 'Left-Eye', 'Right-Eye'], None),
        (['nose', 'right_eye', 'left_eye'], 'keypoint-order'),
        (['nose', 'left_ear', 'right_ear'], 'keypoint-names'),
    ],
)
def test_names_are_compared_with_the_config(content, tmp_path, names, kind):
    content['categories'][0]['keypoints'] = names
    _, found = look(content, tmp_path, CONFIG)
    assert list(kinds(found)) == ([kind] if kind else [])


def test_the_number_of_keypoints_is_the_config_s(content, tmp_path):
    _, found = look(content, tmp_path, Keypoints.by_names(['nose', 'chin']))
    assert 'and 2 keypoints take 6' in kinds(found)['keypoint-count']


def test_partners_of_the_config(content, tmp_path):
    _, found = look(content, tmp_path, Keypoints(tuple(NAMES), (1, 0, 2)))
    said = 'left_eye swaps with nose, not right_eye'
    assert said in [x.value for x in found.findings.of('flip-pair')]


def test_keypoints_that_no_category_names(content, tmp_path):
    del content['categories'][0]['keypoints']
    content['annotations'][0].update(keypoints=POINTS[:6], num_keypoints=2)
    _, found = look(content, tmp_path)
    assert list(kinds(found)) == ['keypoint-count']


BROKEN = {
    'not valid JSON': b'{"images": [',
    'no text in UTF-8, at byte 2: ': b'["\xff"]',
    r'byte order mark \(BOM\): save': b'\xef\xbb\xbf{}',
    'in UTF-16 .* save it as UTF-8': '{}'.encode('utf-16'),
    'in UTF-16 or UTF-32, or': '{}'.encode('utf-16-le'),
    'it is a list where an object is expected': b'[]',
    'it is a NoneType where an object': b'null',
    "it has no 'images'": b'{}',
    "it has no 'annotations'": b'{"images": [], "categories": []}',
    "its 'images' is no list \\(dict\\)": b'{"images": {}, "categories": [], '
    b'"annotations": []}',
    'nested too deep': b'[' * 200_000,
}


@pytest.mark.parametrize('words', BROKEN)
def test_files_that_are_no_annotations(tmp_path, words):
    path = tmp_path / 'annotations.json'
    path.write_bytes(BROKEN[words])
    with pytest.raises(UserError, match=words) as raised:
        CocoSet(('coco',), path, tmp_path).inspect(1)
    assert str(path) in str(raised.value)
    assert '\n' not in str(raised.value)


STRANGE = (None, 'x', '', True, [], {}, [[]], {'a': [1]}, float('nan'), float('inf'))
STRANGE += (-1, 10**400, 1.5e300, '\ud800\n\x00', [None] * 9, ['1', 2, 3, 4])


def paths_of(node: object, place: tuple = ()) -> list[tuple]:
    """Where values are in a JSON, whole lists and objects among them."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, child in items:
        found.append((*place, key))
        if isinstance(child, (dict, list)):
            found += paths_of(child, (*place, key))
    return found


@pytest.mark.parametrize('seed', range(4))
def test_anything_may_be_anywhere(content, tmp_path, seed):
    """No value, wherever it is, ends in a traceback, or passes in place of another."""
    choose = random.Random(seed)
    places = paths_of(content)
    for _ in range(60):
        strange = copy.deepcopy(content)
        *way, last = choose.choice(places)
        node = strange
        for key in way:
            node = node[key]
        old, new = node[last], choose.choice(STRANGE)
        node[last] = copy.deepcopy(new)
        try:
            one, found = look(strange, tmp_path)
        except UserError:
            continue
        found.findings.as_text(5).encode()
        json.dumps(found.findings.as_json())
        # A name is a name, and -1 may be a coordinate: nothing else is passed over.
        same_kind = isinstance(new, str) and isinstance(old, str)
        negative = new == -1
        optional = last == 'keypoints' and new == []
        assert same_kind or negative or optional or kinds(found), (way, last, new)
        (tmp_path / 'mended.json').unlink(missing_ok=True)
        try:
            one.mend(found, tmp_path / 'mended.json')
        except UserError:
            continue
        mended = json.loads((tmp_path / 'mended.json').read_text())
        _, again = look(mended, tmp_path)
        assert kinds(again, ERROR) == {}, (way, last, new)


def faces(count: int, swapped: bool) -> list[list[float]]:
    """Keypoints of faces that look at the camera."""
    eyes = [25, 35] if swapped else [35, 25]
    return [[30, 20, 2, eyes[0], 15, 2, eyes[1], 15, 2]] * count


@pytest.mark.parametrize('swapped', [True, False])
@pytest.mark.parametrize('count', [20, 19])
def test_left_and_right_of_faces(content, tmp_path, swapped, count):
    made = [
        dict(content['annotations'][0], id=100 + index, keypoints=values)
        for index, values in enumerate(faces(count, swapped))
    ]
    content['annotations'] = made
    _, found = look(content, tmp_path)
    assert ('sides' in kinds(found)) == (swapped and count == 20)


def test_a_pair_that_is_the_other_way_round(shared_data, tmp_path):
    coco = shared_data / 'coco_mini_val'
    content = json.loads((coco / 'person_keypoints_val.json').read_text())
    (tmp_path / 'images').symlink_to(coco / 'images')
    _, found = look(content, tmp_path)
    assert kinds(found, ERROR, WARNING) == {}
    for annotation in content['annotations']:
        points = np.array(annotation['keypoints']).reshape(-1, 3)
        points[[11, 12]] = points[[12, 11]]  # the hips
        annotation['keypoints'] = points.ravel().tolist()
    _, found = look(content, tmp_path)
    assert list(kinds(found, ERROR, WARNING)) == ['sides']
    assert 'left_hip and right_hip: the other way round' in kinds(found)['sides']
