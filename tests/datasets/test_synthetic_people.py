"""Synthetic people: reproducible, true to their annotations, readable as COCO."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets import (
    KEYPOINTS,
    SKELETON,
    make_people,
    people,
    render_people,
    write_contact_sheet,
    write_prediction_sheet,
    writing,
)
from litehrnet_mm.datasets.body import cross
from litehrnet_mm.datasets.canvas import FAR, Canvas
from litehrnet_mm.datasets.clothes import sample_look
from litehrnet_mm.datasets.figure import render_figure
from litehrnet_mm.datasets.poses import sample_build, sample_pose
from litehrnet_mm.datasets.sheet import STYLE
from litehrnet_mm.datasets.skeleton import (
    Arm,
    Build,
    Pose,
    face_points,
    forward_kinematics,
)
from litehrnet_mm.visualization import draw_people

TOOL = Path(__file__).parents[2] / 'tools' / 'make_synthetic.py'
IMAGES = 12
SEED = 3
INDEX = {name: index for index, name in enumerate(KEYPOINTS)}
FACE = ('nose', 'left_eye', 'right_eye')


def files(out: Path) -> dict[str, bytes]:
    paths = sorted(path for path in out.rglob('*') if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope='module')
def out(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('people') / 'set'
    make_people(path, IMAGES, SEED)
    return path


@pytest.fixture(scope='module')
def coco(out) -> COCO:
    return COCO(str(out / writing.ANNOTATIONS))


def figure_of(pose: Pose, foot=(160, 245), look=None, height=200):
    plain = sample_look(np.random.default_rng(0))
    plain = replace(plain, hair_style='crop', skirt=0.0, backpack=False, glasses=False)
    return render_figure(
        pose, Build(), look or plain, height, foot, 6.0, (-0.4, -0.6, 0.8)
    )


def flag(figure, name: str) -> int:
    return int(figure.keypoints[INDEX[name], 2])


# Reproducible


def test_same_seed_gives_same_bytes(out, tmp_path):
    make_people(tmp_path, IMAGES, SEED)
    again = files(tmp_path)
    assert again == files(out)
    assert len(again) == IMAGES + 1


def test_number_of_processes_and_images_changes_nothing(out, tmp_path):
    make_people(tmp_path, IMAGES + 3, SEED, workers=2)
    first, more = files(out), files(tmp_path)
    pictures = [name for name in first if name.endswith('.jpg')]
    assert all(first[name] == more[name] for name in pictures)
    annotations = json.loads(first[writing.ANNOTATIONS])['annotations']
    longer = json.loads(more[writing.ANNOTATIONS])['annotations']
    assert longer[: len(annotations)] == annotations
    assert longer[len(annotations) :]


def test_a_set_holds_what_is_drawn(tmp_path):
    look = dict(size=(96, 128), persons=(2, 2))
    content = json.loads(make_people(tmp_path, 2, SEED, **look).read_text())
    expected = [render_people(SEED, k, **look)[1] for k in range(2)]
    assert [(x['width'], x['height']) for x in content['images']] == [(96, 128)] * 2
    assert [x['bbox'] for x in content['annotations']] == [
        person['bbox'] for people in expected for person in people
    ]


def test_processes_and_a_bar(tmp_path, processes, capsys):
    for name, options in (('quiet', {}), ('bar', dict(progress=True, workers=3))):
        make_people(tmp_path / name, 2, **options)
        assert ('2/2' in capsys.readouterr().err) == (name == 'bar')
    assert processes == [1, 3]


def test_seeds_and_images_differ():
    pictures = [render_people(seed, k)[0] for seed, k in ((0, 0), (1, 0), (0, 1))]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pictures[first].astype(int) - pictures[second]).mean() > 5


def test_annotations_name_no_place_and_no_time(out):
    text = (out / writing.ANNOTATIONS).read_text()
    assert str(out) not in text
    assert 'date' not in text


# Readable


def test_reads_as_coco(coco):
    assert sorted(coco.getImgIds()) == list(range(1, IMAGES + 1))
    category = coco.loadCats(1)[0]
    assert category['keypoints'] == list(KEYPOINTS)
    assert category['skeleton'] == [list(link) for link in SKELETON]
    ids = coco.getAnnIds()
    assert len(set(ids)) == len(ids) >= IMAGES
    for annotation in coco.loadAnns(ids):
        points = np.array(annotation['keypoints']).reshape(17, 3)
        assert annotation['num_keypoints'] == (points[:, 2] > 0).sum()
        assert annotation['category_id'] == 1
        assert annotation['iscrowd'] == 0
        assert annotation['id'] // 100 == annotation['image_id']


def test_reads_as_mmpose_dataset(out, coco):
    from mmpose.datasets.datasets.body import CocoDataset

    dataset = CocoDataset(
        data_root=str(out),
        ann_file=writing.ANNOTATIONS,
        data_prefix={'img': 'images/'},
        pipeline=[],
    )
    assert len(dataset) == len(coco.getAnnIds())
    item = dataset[0]
    assert item['keypoints'].shape == (1, 17, 2)
    assert cv2.imread(item['img_path']).shape == (256, 320, 3)
    assert tuple(dataset.metainfo['keypoint_id2name'].values()) == KEYPOINTS


@pytest.mark.parametrize('size', [(64, 64), (97, 131), (480, 360)])
def test_any_size(size):
    for index in range(6):
        image, found = render_people(5, index, size)
        assert image.shape == (size[1], size[0], 3)
        assert image.dtype == np.uint8
        for person in found:
            x, y, w, h = person['bbox']
            assert x >= 0
            assert y >= 0
            assert x + w <= size[0]
            assert y + h <= size[1]


def test_number_of_persons_is_kept():
    for index in range(8):
        assert render_people(2, index, persons=(0, 0))[1] == []
        assert len(render_people(2, index, persons=(2, 4))[1]) <= 4
    assert max(len(render_people(2, k, persons=(4, 4))[1]) for k in range(8)) == 4


# True to the picture


def test_boxes_areas_and_outlines_agree(coco):
    for annotation in coco.loadAnns(coco.getAnnIds()):
        x, y, w, h = annotation['bbox']
        mask = coco.annToMask(annotation)
        rows, cols = np.nonzero(mask)
        assert cols.min() >= x
        assert rows.min() >= y
        assert cols.max() < x + w
        assert rows.max() < y + h
        assert mask.sum() == pytest.approx(annotation['area'], rel=0.06)
        assert annotation['area'] <= w * h


@pytest.mark.parametrize('foot', [(160, 245), (30, 250), (300, 270)])
def test_box_is_tight_around_the_silhouette_in_the_image(foot):
    layer = people._cut(figure_of(Pose(yaw=30), foot), 320, 256)
    owner, _ = people._compose_owner([layer], 256, 320)
    rows, cols = np.nonzero(owner == 1)
    annotation = people.annotate(layer, owner, 1)
    x, y, w, h = annotation['bbox']
    assert (x, y) == (cols.min(), rows.min())
    assert (x + w - 1, y + h - 1) == (cols.max(), rows.max())
    assert annotation['area'] == len(rows)


def test_labelled_keypoints_are_inside_and_others_zero(coco):
    for annotation in coco.loadAnns(coco.getAnnIds()):
        points = np.array(annotation['keypoints']).reshape(17, 3)
        labelled = points[points[:, 2] > 0]
        assert (labelled[:, :2] > -0.51).all()
        assert (labelled[:, 0] < 319.51).all()
        assert (labelled[:, 1] < 255.51).all()
        assert not points[points[:, 2] == 0].any()


def test_visible_joints_lie_on_their_person(coco):
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = cv2.dilate(coco.annToMask(annotation), np.ones((3, 3), np.uint8))
        points = np.array(annotation['keypoints']).reshape(17, 3)
        joints = points[5:][points[5:, 2] == 2]
        columns, rows = np.round(joints[:, :2]).astype(int).T
        assert mask[rows, columns].all()


def test_every_keypoint_occurs_visible_and_hidden():
    seen = np.zeros((17, 3), int)
    for index in range(40):
        for person in render_people(1, index)[1]:
            flags = np.array(person['keypoints'][2::3]).astype(int)
            seen[np.arange(17), flags] += 1
    assert (seen[:, 2] > 5).all()
    assert (seen[:, 1] > 0).all()
    assert (seen[[INDEX[name] for name in FACE], 0] > 0).all()


@pytest.mark.parametrize('yaw', [0, 50, -50])
def test_left_of_the_body_is_right_in_a_front_view(yaw):
    for turned, sign in ((yaw, 1), (yaw + 180, -1)):
        points = figure_of(Pose(yaw=turned)).keypoints
        for name in ('shoulder', 'hip'):
            left, right = points[INDEX[f'left_{name}']], points[INDEX[f'right_{name}']]
            assert sign * (left[0] - right[0]) > 4


def test_raised_left_arm_is_the_left_one():
    pose = Pose(arms=(Arm(abduct=150, bend=5), Arm()))
    points = figure_of(pose).keypoints
    assert points[INDEX['left_wrist'], 1] < points[INDEX['nose'], 1]
    assert points[INDEX['right_wrist'], 1] > points[INDEX['right_elbow'], 1]


def test_own_body_hides():
    wide = (Arm(abduct=80), Arm(abduct=80))
    front, back = figure_of(Pose(arms=wide)), figure_of(Pose(yaw=180, arms=wide))
    assert (front.keypoints[:, 2] == 2).all()
    assert [flag(back, name) for name in FACE] == [0, 0, 0]
    assert (back.keypoints[5:, 2] == 2).all()
    folded = (Arm(flex=15, abduct=12, twist=-40, bend=95), Arm())
    assert flag(figure_of(Pose(arms=folded)), 'left_wrist') == 2
    assert flag(figure_of(Pose(yaw=180, arms=folded)), 'left_wrist') == 1
    side = figure_of(Pose(yaw=80))
    assert (flag(side, 'right_shoulder'), flag(side, 'left_shoulder')) == (2, 1)
    assert (flag(side, 'right_ear'), flag(side, 'left_ear')) == (2, 1)


def test_an_occluder_hides_and_the_border_removes():
    figure = figure_of(Pose(arms=(Arm(abduct=80), Arm(abduct=80))))
    layer = people._cut(figure, 320, 256)
    owner, _ = people._compose_owner([layer], 256, 320)
    before = people.annotate(layer, owner, 1)
    x, y = np.round(figure.keypoints[INDEX['left_wrist'], :2]).astype(int)
    owner[y - 6 : y + 7, x - 6 : x + 7] = people.OCCLUDER
    after = people.annotate(layer, owner, 1)
    changed = np.flatnonzero(
        np.array(before['keypoints']) != np.array(after['keypoints'])
    )
    assert changed.tolist() == [3 * INDEX['left_wrist'] + 2]
    assert after['keypoints'][changed[0]] == 1
    assert after['bbox'] == before['bbox']
    assert 0 < before['area'] - after['area'] <= 13 * 13
    below = figure_of(Pose(), foot=(160, 280))
    layer = people._cut(below, 320, 256)
    owner, _ = people._compose_owner([layer], 256, 320)
    points = np.array(people.annotate(layer, owner, 1)['keypoints']).reshape(17, 3)
    assert not points[[INDEX['left_ankle'], INDEX['right_ankle']]].any()
    assert points[INDEX['left_hip'], 2] == 2


def test_nearer_person_hides_farther_one():
    far, near = figure_of(Pose()), figure_of(Pose(), foot=(202, 250))
    layers = [people._cut(figure, 320, 256) for figure in (far, near)]
    owner, kept = people._compose_owner(layers, 256, 320)
    assert len(kept) == 2
    first, second = (
        people.annotate(layer, owner, k + 1) for k, layer in enumerate(kept)
    )
    flags = np.array(first['keypoints'][2::3])
    assert flags[INDEX['left_elbow']] == 1
    assert flags[INDEX['right_elbow']] == 2
    assert second['area'] == near.body.sum()
    assert 0.6 * far.body.sum() < first['area'] < 0.95 * far.body.sum()
    hidden = [people._cut(figure_of(Pose(), (165, 245)), 320, 256), layers[0]]
    assert len(people._compose_owner(hidden, 256, 320)[1]) == 1


# Geometry


def test_bones_keep_their_lengths():
    build, bones = Build(), (('hip', 'knee', 'thigh'), ('knee', 'ankle', 'shin'))
    bones += (('shoulder', 'elbow', 'upper_arm'), ('elbow', 'wrist', 'forearm'))
    rng = np.random.default_rng(0)
    for _ in range(50):
        points = forward_kinematics(sample_pose(rng), build, 7.0).points
        for side in ('left', 'right'):
            for start, end, name in bones:
                bone = points[f'{side}_{start}'] - points[f'{side}_{end}']
                assert np.linalg.norm(bone) == pytest.approx(getattr(build, name))


def test_builds_and_face_are_symmetric():
    build = sample_build(np.random.default_rng(1))
    points = forward_kinematics(Pose(), build).points
    mirror = np.array([-1, 1, 1])
    for name, left in points.items():
        if name.startswith('left_'):
            right = points[name.replace('left', 'right')]
            np.testing.assert_allclose(left, right * mirror, atol=1e-12)
    assert set(face_points()) == set(KEYPOINTS[:5])


def test_cross_agrees_with_numpy():
    a, b = np.random.default_rng(0).normal(size=(2, 3))
    np.testing.assert_allclose(cross(a, b), np.cross(a, b), rtol=1e-12)


def test_sphere_is_drawn_alike_by_every_solid():
    canvases = [Canvas(41, 41, (0, 0), (0, 0, 1)) for _ in range(3)]
    middle = np.array([20.0, 20.0, 3.0])
    canvases[0].ellipsoid(middle, np.eye(3), np.full(3, 12.0), 1)
    canvases[1].capsule(middle, middle, 12.0, 12.0, 1)
    heights = np.linspace(-12, 12, 400)
    radii = np.sqrt(np.maximum(144 - heights**2, 0.01))
    profile = np.stack([heights, radii, radii], 1)
    canvases[2].loft(middle, np.eye(3), profile, 1)
    rows, cols = np.mgrid[:41, :41] - 20
    expected = 3 + np.sqrt(np.maximum(144 - rows**2 - cols**2, 0))
    for canvas, tolerance in zip(canvases, (1e-3, 2e-3, 0.3)):
        drawn = canvas.depth > FAR
        distance = np.hypot(rows, cols)
        assert drawn[distance < 11.2].all()
        assert not drawn[distance > 12.5].any()
        core = rows**2 + cols**2 < 100
        np.testing.assert_allclose(canvas.depth[core], expected[core], atol=tolerance)


def test_nearer_solid_wins_in_any_order():
    for order in ((1, 2), (2, 1)):
        canvas = Canvas(30, 30, (0, 0), (0, 0, 1))
        for label in order:
            centre = np.array([15.0, 15.0, 10.0 * label])
            canvas.ellipsoid(centre, np.eye(3), np.full(3, 8.0), label)
        assert canvas.label[15, 15] == 2


# Command line and files


def run_tool(monkeypatch, *args) -> int:
    monkeypatch.setattr(sys, 'argv', [str(TOOL), 'people', *map(str, args)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOOL), run_name='__main__')
    return end.value.code


def test_tool_writes_the_same_set_and_a_contact_sheet(
    out, tmp_path, monkeypatch, capsys
):
    sheet = tmp_path / 'sheet.png'
    options = ('--images', IMAGES, '--seed', SEED, '--contact-sheet', sheet)
    assert run_tool(monkeypatch, tmp_path / 'set', *options) == 0
    assert files(tmp_path / 'set') == files(out)
    assert cv2.imread(str(sheet)).shape == (3 * 260, 4 * 324, 3)
    assert f'{IMAGES} images' in capsys.readouterr().out


def test_tool_writes_what_is_asked_for(tmp_path, monkeypatch, processes):
    out, sheet = tmp_path / 'set', tmp_path / 'sheet.png'
    options = ('--images', 3, '--size', 96, 128, '--persons', 2, 2, '--first-id', 7)
    assert run_tool(monkeypatch, out, *options, '--workers', 2) == 0
    content = json.loads((out / writing.ANNOTATIONS).read_text())
    assert [image['id'] for image in content['images']] == [7, 8, 9]
    for k, image in enumerate(content['images']):
        assert (image['width'], image['height']) == (96, 128)
        found = render_people(0, k, (96, 128), (2, 2))[1]
        own = [x for x in content['annotations'] if x['image_id'] == image['id']]
        assert [x['bbox'] for x in own] == [x['bbox'] for x in found]
    assert processes == [2]
    assert run_tool(monkeypatch, out, '--images', 1) == 2
    again = ('--images', 1, '--overwrite', '--contact-sheet', sheet, '--size', 96, 128)
    assert run_tool(monkeypatch, out, *again) == 0
    assert len(list((out / 'images').iterdir())) == 1
    assert cv2.imread(str(sheet)).shape == (3 * (128 + 4), 4 * (96 + 4), 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--images', '0'), 'images must be at least 1, not 0'),
        (('--seed', '-1'), 'seed must not be negative'),
        (('--size', '320', '10'), '64 to 4096'),
        (('--size', '33333', '320'), '64 to 4096'),
        (('--persons', '3', '1'), 'MIN <= MAX'),
        (('--workers', '0'), 'workers must be at least 1'),
        (('--first-id', '0'), 'first id must be at least 1'),
        (('--contact-sheet', 'sheet.gif'), 'must end in .png or .jpg'),
    ],
)
def test_tool_refuses_bad_values(options, message, tmp_path, monkeypatch, capsys):
    assert run_tool(monkeypatch, tmp_path / 'new', *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'new').exists()


def test_refuses_a_directory_in_use(tmp_path):
    kept = tmp_path / 'notes.txt'
    kept.write_text('mine')
    with pytest.raises(UserError, match=r'not empty: .* --overwrite'):
        make_people(tmp_path, 1)
    with pytest.raises(UserError, match='is a file'):
        make_people(kept, 1)
    make_people(tmp_path, 3, 1, overwrite=True)
    with_overwrite = make_people(tmp_path, 2, 1, overwrite=True)
    assert kept.read_text() == 'mine'
    assert len(list((tmp_path / 'images').iterdir())) == 2
    assert len(json.loads(with_overwrite.read_text())['images']) == 2


def test_interrupted_run_does_not_look_finished(tmp_path, monkeypatch):
    make_people(tmp_path, 2, 1)

    def broken(index, *args, **kwargs):
        if index == 1:
            raise KeyboardInterrupt
        return render_people(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(writing, 'render_people', lambda seed, k, *_: broken(k, seed, k))
        with pytest.raises(KeyboardInterrupt):
            make_people(tmp_path, 3, 2, overwrite=True)
    assert not (tmp_path / writing.ANNOTATIONS).exists()
    assert len(list((tmp_path / 'images').iterdir())) == 1


def test_first_id_moves_names_and_ids_only(out, tmp_path):
    moved = json.loads(make_people(tmp_path, 2, SEED, first_id=501).read_text())
    assert [image['id'] for image in moved['images']] == [501, 502]
    assert {person['id'] // 100 for person in moved['annotations']} == {501, 502}
    name = moved['images'][0]['file_name']
    assert name == '000000000501.jpg'
    original = (out / 'images' / '000000000001.jpg').read_bytes()
    assert (tmp_path / 'images' / name).read_bytes() == original


@pytest.mark.parametrize('columns', [2, 3])
def test_contact_sheet_draws_over_half_of_the_images(tmp_path, columns):
    path, look = tmp_path / 'new' / 'sheet.png', ((160, 128), (3, 3))
    write_contact_sheet(path, 4, columns=columns, rows=2, size=look[0], persons=look[1])
    sheet = cv2.imread(str(path))
    assert sheet.shape == (2 * 132, columns * 164, 3)
    places = [(r, c) for r in (2, 134) for c in range(2, sheet.shape[1], 164)]
    tiles = [sheet[r : r + 128, c : c + 160] for r, c in places]
    plain = [
        np.array_equal(t, render_people(4, k, *look)[0]) for k, t in enumerate(tiles)
    ]
    places = [(row, column) for row in range(2) for column in range(columns)]
    assert plain == [(row + column) % 2 == 0 for row, column in places]


def test_prediction_sheet_enlarges_and_leaves_out_what_is_doubtful(out, tmp_path):
    sure = [[20 * k, 100, 0.9] for k in range(17)]
    doubtful = [[20 * k, 200, 0.5] for k in range(17)]
    results = [
        dict(image_id=2, keypoints=np.ravel(points).tolist())
        for points in (sure, doubtful)
    ]
    (tmp_path / 'found.json').write_text(json.dumps(results))
    path = tmp_path / 'sheet.png'
    write_prediction_sheet(
        path, out, tmp_path / 'found.json', columns=2, rows=1, scale=3, min_score=0.6
    )
    sheet = cv2.imread(str(path))
    height, width = 3 * 256, 3 * 320
    assert sheet.shape == (height + 4, 2 * (width + 4), 3)
    images = [cv2.imread(str(out / f'images/{number:012}.jpg')) for number in (1, 2)]
    plain = [cv2.resize(image, (width, height)) for image in images]
    tiles = [sheet[2:-2, x : x + width] for x in (2, width + 6)]
    assert np.array_equal(tiles[0], plain[0])
    rows = np.nonzero((tiles[1] != plain[1]).any(axis=(1, 2)))[0]
    assert 240 < rows.min() < rows.max() < 360


def test_drawing_leaves_the_image_alone():
    image, found = render_people(4, 1)
    copy = image.copy()
    drawn = draw_people(image, found, STYLE)
    assert np.array_equal(image, copy)
    assert not np.array_equal(drawn, copy)
