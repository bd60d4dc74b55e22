"""Synthetic streets: reproducible, in true perspective, readable as Cityscapes."""

from __future__ import annotations

import hashlib
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.streets import (
    CLASSES,
    PALETTE,
    make_streets,
    render_street,
    scene,
    write_comparison,
    write_street_sheet,
    writing,
)
from litehrnet_mm.datasets.streets.classes import IDS, TABLE, colourise, to_train_ids
from litehrnet_mm.datasets.streets.riders import draw_bicycle, draw_motorcycle
from litehrnet_mm.datasets.streets.sheet import make_legend
from litehrnet_mm.datasets.streets.site import Site
from litehrnet_mm.datasets.streets.solids import UP, Frame, ball, box
from litehrnet_mm.datasets.streets.surfaces import Noise, Outline, Plain
from litehrnet_mm.datasets.streets.vehicles import draw_bus, draw_car, draw_train
from litehrnet_mm.datasets.streets.view import SAMPLES, Camera, Light, View

TOOL = Path(__file__).parents[2] / 'tools' / 'make_synthetic.py'
SCENES, SEED, SIZE = 5, 3, (128, 64)
NAME = 'synthetic3_000000_000019'
GOLDEN = '0b5337c8315daa5cbdca73b0c793d36d6fd6ecc4cff12d5ca5f578969c40e727'
"""SHA-256 of the pixels and labels of scene 0 of seed 0 at 128 by 64."""

SUN = Light(np.array([0.6, 0.64, -0.48]), strength=0.4, ambient=0.6)


def files(out: Path) -> dict[str, bytes]:
    paths = sorted(path for path in out.rglob('*') if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope='module')
def out(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('streets') / 'set'
    make_streets(path, SCENES, SEED, size=SIZE)
    return path


@pytest.fixture(scope='module')
def scenes() -> list[tuple[np.ndarray, np.ndarray]]:
    return [render_street(0, index) for index in range(24)]


@pytest.fixture
def site() -> Site:
    """An empty place, seen by a level camera 1.5 m above the ground."""
    view = View(256, 128, Camera(focal=0.8, height=1.5), SUN)
    rng = np.random.default_rng(0)
    return Site(view, rng, Noise(rng))


def seen(site: Site, name: str) -> np.ndarray:
    return site.view.label == IDS[name]


def extent(mask: np.ndarray) -> tuple[int, int]:
    rows, cols = np.nonzero(mask)
    return int(np.ptp(cols)) + 1, int(np.ptp(rows)) + 1


# Reproducible


def test_pixels_are_those_of_every_other_machine():
    digest = hashlib.sha256()
    for part in render_street(0, 0, SIZE):
        digest.update(part.tobytes())
    assert digest.hexdigest() == GOLDEN


def test_same_seed_gives_same_bytes(out, tmp_path):
    make_streets(tmp_path, SCENES, SEED, size=SIZE)
    assert files(tmp_path) == files(out)
    assert len(files(out)) == 3 * SCENES


def test_number_of_processes_and_scenes_changes_nothing(out, tmp_path):
    make_streets(tmp_path, SCENES + 2, SEED, size=SIZE, workers=2)
    first, more = files(out), files(tmp_path)
    assert first.items() <= more.items()
    assert len(more) == 3 * (SCENES + 2)


def test_processes_and_a_bar(tmp_path, processes, capsys):
    for name, options in (('quiet', {}), ('bar', dict(progress=True, workers=3))):
        make_streets(tmp_path / name, 2, size=SIZE, **options)
        assert ('2/2' in capsys.readouterr().err) == (name == 'bar')
    assert processes == [1, 3]


def test_seeds_and_scenes_differ():
    pairs = [render_street(seed, k, SIZE) for seed, k in ((0, 0), (1, 0), (0, 1))]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pairs[a][0].astype(int) - pairs[b][0]).mean() > 5
        assert (pairs[a][1] != pairs[b][1]).mean() > 0.05


# Readable


def test_reads_as_cityscapes(out):
    from mmseg.datasets import CityscapesDataset

    import litehrnet_mm  # noqa: F401, stand-ins for what mmcv-lite lacks

    prefix = dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train')
    dataset = CityscapesDataset(data_root=str(out), data_prefix=prefix, pipeline=[])
    assert len(dataset) == SCENES
    assert dataset.metainfo['classes'] == CLASSES
    assert dataset.metainfo['palette'] == PALETTE.tolist()
    item = dataset[0]
    assert Path(item['img_path']).name == f'{NAME}_leftImg8bit.png'
    assert cv2.imread(item['img_path']).shape == (SIZE[1], SIZE[0], 3)
    labels = cv2.imread(item['seg_map_path'], cv2.IMREAD_UNCHANGED)
    assert labels.shape == SIZE[::-1]
    assert labels.dtype == np.uint8


def test_files_hold_what_is_drawn(out):
    image, label_ids = render_street(SEED, 0, SIZE)
    folder = out / 'gtFine/train/synthetic3'
    drawn = cv2.imread(
        str(out / f'leftImg8bit/train/synthetic3/{NAME}_leftImg8bit.png')
    )
    assert np.array_equal(drawn, image)
    for kind, expected in (
        ('labelIds', label_ids),
        ('labelTrainIds', to_train_ids(label_ids)),
    ):
        path = folder / f'{NAME}_gtFine_{kind}.png'
        assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), expected)


def test_ids_are_those_of_cityscapes():
    # Cityscapes' own table: 34 label ids, of which 19 are evaluated.
    ignored = {*range(7), 9, 10, 14, 15, 16, 18, 29, 30}
    ids = np.arange(34, dtype=np.uint8)
    train_ids = to_train_ids(ids)
    assert set(np.flatnonzero(train_ids == 255).tolist()) == ignored
    assert train_ids[train_ids != 255].tolist() == list(range(19))
    assert [name for name, _, _ in TABLE] == list(CLASSES)
    assert colourise(np.uint8([[13, 255]])).tolist() == [[[142, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize('size', [(64, 64), (97, 131), (300, 80)])
def test_any_size(size):
    image, labels = render_street(5, 1, size)
    assert image.shape == (size[1], size[0], 3)
    assert labels.shape == (size[1], size[0])
    assert image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= set(IDS.values())


def test_the_scene_does_not_depend_on_the_size():
    small, large = (render_street(2, 4, size)[1] for size in ((128, 64), (384, 192)))
    # Pixels' centres fall together when one is three times the other. Figures stand on
    # whole samples, so their outlines move a little.
    assert (small != large[1::3, 1::3]).mean() < 0.005


# True to the picture


def test_every_class_occurs_and_none_is_everywhere(scenes):
    counts = np.zeros((len(scenes), 256), int)
    for row, (_, labels) in zip(counts, scenes):
        row += np.bincount(to_train_ids(labels).ravel(), minlength=256)
    present = (counts[:, :19] >= 30).sum(0)
    assert (present >= 4).all(), dict(zip(CLASSES, present.tolist()))
    shares = counts.sum(0) / counts.sum()
    assert shares[:19].min() > 0.003, dict(zip(CLASSES, shares.round(4)))
    assert shares[:19].max() < 0.4
    assert 0 < shares[255] < 0.05


def test_nothing_is_left_unlabelled(scenes):
    for _, labels in scenes:
        assert set(np.unique(labels)) <= set(IDS.values())


def test_road_is_below_and_sky_above(scenes):
    for _, labels in scenes:
        rows = np.arange(len(labels))
        mean = {
            name: (rows[:, None] * (labels == IDS[name])).sum()
            / max((labels == IDS[name]).sum(), 1)
            for name in ('sky', 'road')
        }
        assert mean['sky'] < mean['road']


def test_edges_of_labels_are_edges_of_the_picture(scenes):
    at_edges, elsewhere = [], []
    for image, labels in scenes:
        step = np.abs(np.diff(image.astype(int), axis=1)).sum(2)
        changes = np.diff(labels.astype(int), axis=1) != 0
        at_edges.append(step[changes].mean())
        elsewhere.append(step[~changes].mean())
    assert np.mean(at_edges) > 3 * np.mean(elsewhere)


def test_a_class_has_no_colour_of_its_own(scenes):
    means = []
    for image, labels in scenes:
        mask = labels == IDS['car']
        if mask.sum() > 100:
            means.append(image[mask].mean(0))
    assert len(means) > 8
    assert np.std(means, axis=0).max() > 20


# Perspective


def test_a_point_is_where_a_pinhole_camera_sees_it(site):
    view, focal = site.view, 0.8 * 256 * SAMPLES
    column, row, depth = view.project(np.array([2.0, 0.5, 10.0]))
    assert column == pytest.approx(128 * SAMPLES + focal * 0.2)
    assert row == pytest.approx(64 * SAMPLES + focal * 0.1)
    assert depth == 10


def test_axes_of_the_camera_are_orthonormal_and_turn_as_they_say():
    axes = Camera(0.8, 1.5, yaw=20, pitch=10, roll=5).axes()
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(-1)  # y is up, and rows go down
    turned = [[0, 0, -1], [0, -1, 0], [1, 0, 0]]
    np.testing.assert_allclose(Camera(0.8, 1.5, yaw=90).axes(), turned, atol=1e-12)
    assert Camera(0.8, 1.5, pitch=10).axes()[2][1] < 0


@pytest.mark.parametrize('heading', [0, 90, 180])
def test_a_car_twice_as_far_is_half_as_large(site, heading):
    sizes = []
    for z in (12.0, 24.0):
        view = View(512, 256, Camera(0.8, 1.5), SUN)
        rng = np.random.default_rng(1)
        own = Site(view, rng, Noise(rng))
        draw_car(own, Frame(np.array([0.0, 0, z]), heading))
        sizes.append(extent(view.label == IDS['car']))
    (near_w, near_h), (far_w, far_h) = sizes
    # Its near face is half a length closer than its middle, so a little more than 2.
    assert 1.9 < near_w / far_w < 2.6
    assert 1.9 < near_h / far_h < 2.6


def test_a_box_covers_what_its_corners_span(site):
    paint = Plain(np.full(3, 100.0), site.noise)
    frame = Frame(np.array([0.0, 0, 10.0]))
    box(site.view, frame, (-1, 0, -1), (1, 2, 1), 26, paint)
    mask = site.view.label == 26
    focal = 0.8 * 256 * SAMPLES
    width, height = extent(mask)
    assert width == pytest.approx(focal * 2 / 9, abs=1.5)
    top, bottom = focal * 0.5 / 9, focal * 1.5 / 9
    assert height == pytest.approx(top + bottom, abs=1.5)
    np.testing.assert_allclose(site.view.depth[mask].min(), 9, atol=1e-9)


@pytest.mark.parametrize('order', [(6, 12), (12, 6)])
def test_nearer_things_hide_farther_ones_in_any_order(site, order):
    paint = Plain(np.full(3, 100.0), site.noise)
    for z in order:
        ball(site.view, np.array([0.0, 1.5, z]), (1, 1), int(z), paint)
    middle = site.view.depth.shape[0] // 2, site.view.depth.shape[1] // 2
    assert site.view.label[middle] == 6


def test_what_is_behind_or_at_the_camera_is_cut_off(site):
    paint = Plain(np.full(3, 100.0), site.noise)
    frame = Frame(np.array([0.0, 0, -10.0]))
    box(site.view, frame, (-1, 0, -1), (1, 2, 1), 26, paint)
    assert not site.view.label.any()
    north = np.array([0, 0, 1.0])
    corner = np.array([-50.0, 0, -50])
    site.view.patch(corner, np.array([1.0, 0, 0]), north, (100, 100), paint, 7)
    half = site.view.label.shape[0] // 2
    assert not site.view.label[:half].any()
    assert site.view.label[-1].all()


def test_shadows_fall_away_from_the_sun(site):
    site.shade(Frame(np.array([0.0, 0, 15])).footprint(1, 1), 3)
    _, cols = np.nonzero(site.view.sunless)
    assert cols.mean() < site.view.centre[0] - 20  # the sun is to the right


@pytest.mark.parametrize(
    ('draw', 'name'), [(draw_bicycle, 'bicycle'), (draw_motorcycle, 'motorcycle')]
)
def test_a_rider_sits_on_the_cycle(site, draw, name):
    draw(site, Frame(np.array([0.0, 0, 6]), 90), True)
    rider, cycle = seen(site, 'rider'), seen(site, name)
    assert min(rider.sum(), cycle.sum()) > 1000
    tops = [np.nonzero(mask)[0].min() for mask in (rider, cycle)]
    bottoms = [np.nonzero(mask)[0].max() for mask in (rider, cycle)]
    assert tops[0] < tops[1]
    assert bottoms[0] < bottoms[1]
    columns = [np.nonzero(mask)[1].mean() for mask in (rider, cycle)]
    assert abs(columns[0] - columns[1]) < 0.25 * extent(cycle)[0]


def test_a_parked_bicycle_has_no_rider(site):
    draw_bicycle(site, Frame(np.array([0.0, 0, 6]), 60), False)
    assert seen(site, 'bicycle').any()
    assert not seen(site, 'rider').any()


def test_lengths_are_those_of_real_vehicles(site):
    lengths = {}
    for draw, name in ((draw_car, 'car'), (draw_bus, 'bus'), (draw_train, 'train')):
        view = View(512, 128, Camera(0.4, 1.5), SUN)
        own = Site(view, site.rng, site.noise)
        draw(own, Frame(np.array([0.0, 0, 30.0]), 90))
        lengths[name] = extent(seen(own, name))[0] * 30 / (0.4 * 512 * SAMPLES)
    assert 3.5 < lengths['car'] < 5.5
    assert 8.5 < lengths['bus'] < 13
    assert lengths['train'] > 18


def test_a_polygon_holds_its_inside():
    square = Outline(np.array([[0, 0], [2, 0], [2, 1], [0, 1]], float))
    u, v = np.array([1.0, 1.9, 2.1, -0.1, 1.0]), np.array([0.5, 0.9, 0.5, 0.5, 1.1])
    assert square(u, v).tolist() == [True, True, False, False, False]


def test_noise_repeats_and_stays_in_range():
    noise = Noise(np.random.default_rng(0))
    u, v = np.random.default_rng(1).uniform(-30, 30, (2, 1000))
    values = noise(u, v, 0.5)
    assert np.abs(values).max() < 1.7
    assert values.std() > 0.1
    np.testing.assert_array_equal(values, noise(u + 8, v - 8, 0.5))
    assert np.abs(noise.smooth(u, v, 0.5) - values).mean() < values.std()


# Command line and files


def run_tool(monkeypatch, *args) -> int:
    monkeypatch.setattr(sys, 'argv', [str(TOOL), 'streets', *map(str, args)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOOL), run_name='__main__')
    return end.value.code


def test_tool_writes_the_same_set_and_a_contact_sheet(
    out, tmp_path, monkeypatch, capsys
):
    sheet = tmp_path / 'sheet.png'
    options = ('--images', SCENES, '--seed', SEED, '--size', *SIZE)
    assert run_tool(
        monkeypatch, tmp_path / 'set', *options, '--contact-sheet', sheet
    ) == 0  # fmt: skip
    assert files(tmp_path / 'set') == files(out)
    width = 3 * (SIZE[0] + 4)
    legend = make_legend(width)
    drawn = cv2.imread(str(sheet))
    assert drawn.shape == (2 * (2 * SIZE[1] + 4) + len(legend), width, 3)
    image, labels = render_street(SEED, 0, SIZE)
    assert np.array_equal(drawn[2 : 2 + SIZE[1], 2 : 2 + SIZE[0]], image)
    below = drawn[2 + SIZE[1] : 2 + 2 * SIZE[1], 2 : 2 + SIZE[0]]
    assert np.array_equal(below, colourise(to_train_ids(labels)))
    assert f'{SCENES} scenes' in capsys.readouterr().out


def test_tool_writes_what_is_asked_for(tmp_path, monkeypatch, processes):
    options = ('--images', 2, '--size', *SIZE, '--split', 'val', '--seed', SEED)
    assert run_tool(monkeypatch, tmp_path, *options, '--workers', 2) == 0
    assert processes == [2]
    assert len(files(tmp_path)) == 6
    assert all('/val/' in name for name in files(tmp_path))
    assert run_tool(monkeypatch, tmp_path, *options) == 2
    assert run_tool(monkeypatch, tmp_path, *options, '--overwrite') == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--images', '0'), 'images must be 1 to 1000000, not 0'),
        (('--seed', '-1'), 'seed must not be negative'),
        (('--size', '320', '10'), '64 to 2048'),
        (('--size', '33333', '320'), '64 to 2048'),
        (('--size', '2048', '2048'), '2048 x 1024'),
        (('--workers', '0'), 'workers must be at least 1'),
        (('--contact-sheet', 'sheet.gif'), 'must end in .png or .jpg'),
    ],
)
def test_tool_refuses_bad_values(options, message, tmp_path, monkeypatch, capsys):
    assert run_tool(monkeypatch, tmp_path / 'new', *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'new').exists()


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(UserError, match='split must be train or val, not test'):
        make_streets(tmp_path, 1, split='test')


def test_a_set_is_replaced_only_when_asked_and_others_stay(out, tmp_path):
    make_streets(tmp_path, 2, SEED, size=SIZE)
    make_streets(tmp_path, 1, SEED, split='val', size=SIZE)
    make_streets(tmp_path, 1, SEED + 1, size=SIZE)
    with pytest.raises(UserError, match=r'synthetic3 exists: .* --overwrite'):
        make_streets(tmp_path, 1, SEED, size=SIZE)
    assert len(files(tmp_path)) == 12
    make_streets(tmp_path, 1, SEED, size=SIZE, overwrite=True)
    assert len(files(tmp_path)) == 9
    with pytest.raises(UserError, match='is a file'):
        make_streets(next(tmp_path.rglob('*.png')), 1)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(UserError, match=r'cannot write to .*file/below: '):
        make_streets(tmp_path / 'file' / 'below', 1)


def test_an_interrupted_set_does_not_look_finished(tmp_path, monkeypatch):
    make_streets(tmp_path, 2, 1, size=SIZE)
    before = files(tmp_path)

    def broken(seed, index, size):
        if index == 1:
            raise KeyboardInterrupt
        return render_street(seed, index, size)

    with monkeypatch.context() as patch:
        patch.setattr(writing, 'render_street', broken)
        with pytest.raises(KeyboardInterrupt):
            make_streets(tmp_path, 3, 2, size=SIZE)
    kept = {name: data for name, data in files(tmp_path).items() if name[0] != '.'}
    assert kept == before
    make_streets(tmp_path, 1, 2, size=SIZE)
    assert not (tmp_path / writing.UNFINISHED).exists()


# Pictures


def test_comparison_shows_truth_and_prediction_and_hides_the_ignored(tmp_path):
    image = np.full((64, 200, 3), 90, np.uint8)
    truth = np.full((64, 200), 8, np.uint8)
    truth[:, 100:] = 255
    found = np.full((64, 200), IDS['sky'], np.uint8)  # label ids, not train ids
    paths = []
    for name, picture in (('image', image), ('truth', truth), ('found', found)):
        paths.append(tmp_path / f'{name}.png')
        cv2.imwrite(str(paths[-1]), picture)
    sheet = tmp_path / 'sheet.png'
    write_comparison(sheet, *([path] for path in paths), scale=1)
    drawn = cv2.imread(str(sheet))
    row = 2 + 26 + 32  # border, caption, middle
    colours = [drawn[row, 204 * k + 50].tolist() for k in range(3)]
    sky = PALETTE[CLASSES.index('sky'), ::-1].tolist()
    assert colours == [[90] * 3, PALETTE[8, ::-1].tolist(), sky]
    assert [drawn[row, 204 * k + 150].tolist() for k in (1, 2)] == [[0] * 3] * 2


def test_comparison_names_a_file_it_cannot_read(tmp_path):
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError, match=r'missing\.png'):
        write_comparison(
            tmp_path / 'a.png', [image], [tmp_path / 'missing.png'], [image]
        )


@pytest.mark.parametrize('width', [140, 400, 1200])
def test_the_legend_has_every_colour(width):
    legend = make_legend(width)
    assert legend.shape[1] == width
    shown = {tuple(colour) for colour in legend.reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in PALETTE[:, ::-1].tolist()} <= shown


def test_a_sheet_needs_the_name_of_a_picture(tmp_path):
    with pytest.raises(UserError, match=r'must end in \.png or \.jpg'):
        write_street_sheet(tmp_path / 'sheet.txt')


def test_scenes_leave_the_light_of_the_sun_to_clear_skies():
    lights = [scene._sample_light(np.random.default_rng(k)) for k in range(40)]
    assert {light.overcast for light in lights} == {True, False}
    for light in lights:
        np.testing.assert_allclose(np.linalg.norm(light.sun), 1, atol=1e-12)
        assert light.tone(UP) > light.tone(-UP)


def test_a_sheet_of_any_form(tmp_path):
    path = tmp_path / 'sheet.png'
    write_street_sheet(path, SEED, columns=2, rows=1, size=SIZE)
    sheet = cv2.imread(str(path))
    width = 2 * (SIZE[0] + 4)
    assert sheet.shape == (2 * SIZE[1] + 4 + len(make_legend(width)), width, 3)
    second = sheet[2 : 2 + SIZE[1], SIZE[0] + 6 : 2 * SIZE[0] + 6]
    assert np.array_equal(second, render_street(SEED, 1, SIZE)[0])
