"""Cityscapes from made-up archives and from a real frame."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from PIL import Image

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation import files
from litehrnet_mm.datasets.preparation.cityscapes import prepare_cityscapes

WIDTH, HEIGHT = 64, 32
LEFT, GT = 'leftImg8bit_trainvaltest.zip', 'gtFine_trainvaltest.zip'
FRAME = 'aachen/aachen_000000_000019'


def box(label: str, x0: int, y0: int, x1: int, y1: int, **more) -> dict:
    corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    return {'label': label, 'polygon': corners, **more}


OBJECTS = [
    box('sky', 0, 0, 63, 9),
    box('road', 0, 10, 63, 31),
    box('car', 10, 12, 29, 21),
    box('cargroup', 30, 12, 39, 21),
    box('license plate', 12, 14, 15, 15),  # id -1: is not drawn
    box('ego vehicle', 0, 28, 63, 31),  # not evaluated
    box('person', 50, 12, 60, 20, deleted=1),
]


def expected() -> np.ndarray:
    """The train ids of OBJECTS: sky 10, road 0, car 13, not evaluated 255."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:10] = 10
    labels[12:22, 10:40] = 13
    labels[28:] = 255
    return labels


def label_ids() -> np.ndarray:
    """The same as label ids: sky 23, road 7, car 26, own car 1; a pixel differs."""
    labels = expected()
    ids = np.select([labels == 10, labels == 13, labels == 255], [23, 26, 1], 7)
    ids[11, 63] = 23
    return ids.astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def paths(root: Path, split: str, frame: str = FRAME) -> dict[str, Path]:
    fine = root / 'gtFine' / split
    return {
        'image': root / 'leftImg8bit' / split / f'{frame}_leftImg8bit.png',
        'polygons': fine / f'{frame}_gtFine_polygons.json',
        'ids': fine / f'{frame}_gtFine_labelIds.png',
        'instances': fine / f'{frame}_gtFine_instanceIds.png',
        'colour': fine / f'{frame}_gtFine_color.png',
        'train_ids': fine / f'{frame}_gtFine_labelTrainIds.png',
    }


def add_frame(root: Path, split: str, frame: str = FRAME) -> dict[str, Path]:
    """Add what the archives have of a frame, and return where it all is."""
    of = paths(root, split, frame)
    save(of['image'], np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    save(of['ids'], label_ids())
    save(of['instances'], label_ids())
    save(of['colour'], np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    content = {'imgHeight': HEIGHT, 'imgWidth': WIDTH, 'objects': OBJECTS}
    of['polygons'].write_text(json.dumps(content))
    return of


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == 'L'
        return np.array(image)


def pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, 'w') as file:
        for path in sorted(folder.rglob('*.*')):
            file.write(path, path.relative_to(folder.parent))


@pytest.fixture
def root(tmp_path) -> Path:
    """A frame each of train and val, and an image of test, unpacked."""
    folder = tmp_path / 'cityscapes'
    add_frame(folder, 'train')
    add_frame(folder, 'val', 'munster/munster_000000_000019')
    add_frame(folder, 'test', 'bonn/bonn_000000_000019')
    return folder


@pytest.fixture
def packed(root) -> Path:
    """The same as the two official archives."""
    pack(root / 'leftImg8bit', root / LEFT)
    pack(root / 'gtFine', root / GT)
    shutil.rmtree(root / 'leftImg8bit')
    shutil.rmtree(root / 'gtFine')
    return root


def test_label_maps_are_drawn_from_polygons(root):
    report = prepare_cityscapes(root)
    assert report.ways == {'from polygons': 2}
    assert report.error is None
    np.testing.assert_array_equal(read(paths(root, 'train')['train_ids']), expected())
    # The annotations of test are not public: there is nothing to evaluate on.
    assert not list((root / 'gtFine/test').rglob('*TrainIds.png'))


def test_label_ids_are_mapped_where_there_are_no_polygons(root):
    of = paths(root, 'train')
    of['polygons'].unlink()
    report = prepare_cityscapes(root)
    assert report.ways == {'from polygons': 1, 'from label ids': 1}
    mapped = expected()
    mapped[11, 63] = 10
    np.testing.assert_array_equal(read(of['train_ids']), mapped)


def test_label_ids_replace_what_was_drawn_when_asked_for(root):
    prepare_cityscapes(root)
    report = prepare_cityscapes(root, from_label_ids=True)
    assert report.ways == {'from label ids': 2}
    assert read(paths(root, 'train')['train_ids'])[11, 63] == 10
    again = prepare_cityscapes(root, from_label_ids=True)
    assert again.ways == {'there already': 2}


def test_archives_are_unpacked_as_far_as_needed(packed):
    report = prepare_cityscapes(packed)
    assert report.unpacked == {LEFT: 3, GT: 6}
    assert report.ways == {'from polygons': 2}
    of = paths(packed, 'train')
    assert of['instances'].is_file()
    assert not of['colour'].exists()
    assert not (packed / 'gtFine/test').exists()


def test_a_second_run_writes_only_what_is_missing_or_cut(packed):
    prepare_cityscapes(packed)
    of = paths(packed, 'train')
    before = {x: x.stat().st_mtime_ns for x in packed.rglob('*') if x.is_file()}
    assert prepare_cityscapes(packed).unpacked == {LEFT: 0, GT: 0}
    assert before == {x: x.stat().st_mtime_ns for x in packed.rglob('*') if x.is_file()}

    whole = of['image'].read_bytes()
    of['image'].write_bytes(whole[:40])
    drawn = of['train_ids'].read_bytes()
    of['train_ids'].write_bytes(drawn[:-30])
    of['polygons'].unlink()
    report = prepare_cityscapes(packed)
    assert report.unpacked == {LEFT: 1, GT: 1}
    assert report.ways == {'from polygons': 1, 'there already': 1}
    assert of['image'].read_bytes() == whole
    assert of['train_ids'].read_bytes() == drawn
    assert not list(packed.rglob('*.part'))


def test_label_maps_that_hold_other_numbers_are_made_again(root):
    of = paths(root, 'train')
    save(of['train_ids'], label_ids())
    assert prepare_cityscapes(root).ways == {'from polygons': 2}
    np.testing.assert_array_equal(read(of['train_ids']), expected())


@pytest.mark.parametrize(
    'name', ['../evil.png', '/evil.png', 'gtFine/../../evil.png', '..\\evil.png']
)
def test_an_archive_that_leads_out_of_the_folder_is_refused(packed, name):
    with zipfile.ZipFile(packed / GT, 'a') as archive:
        archive.writestr(name, b'x')
    with pytest.raises(UserError, match='leads out of the folder') as raised:
        prepare_cityscapes(packed)
    assert repr(name) in str(raised.value)
    assert not (packed / 'gtFine').exists()
    assert not list(packed.parent.rglob('*evil*'))


def test_a_cut_archive_says_so(packed):
    data = (packed / LEFT).read_bytes()
    (packed / LEFT).write_bytes(data[: len(data) // 2])
    with pytest.raises(
        UserError, match=rf'{LEFT} is no whole zip .* download it again'
    ):
        prepare_cityscapes(packed)


def test_a_damaged_entry_is_named_and_not_left_behind(packed):
    data = bytearray((packed / GT).read_bytes())
    at = data.index(b'"imgHeight"', data.index(b'gtFine/train'))
    data[at + 3] ^= 1  # the check sum no longer fits
    (packed / GT).write_bytes(data)
    with pytest.raises(UserError, match=r'polygons\.json is damaged .*download it'):
        prepare_cityscapes(packed)
    assert not paths(packed, 'train')['polygons'].exists()


def test_a_full_disk_leaves_no_half_file(root, monkeypatch):
    def fail(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(files.os, 'replace', fail)
    with pytest.raises(UserError, match=r'cannot write .*TrainIds\.png: No space left'):
        prepare_cityscapes(root)
    assert not list(root.rglob('*TrainIds.png'))


def spoil_image_size(of: dict[str, Path]) -> None:
    save(of['image'], np.zeros((HEIGHT, 2 * WIDTH, 3), np.uint8))


def spoil_image(of: dict[str, Path]) -> None:
    of['image'].write_bytes(b'no image')


def spoil_json(of: dict[str, Path]) -> None:
    of['polygons'].write_text('{"imgHeight": 32')


def spoil_label(of: dict[str, Path]) -> None:
    text = of['polygons'].read_text()
    of['polygons'].write_text(text.replace('"sky"', '"skyy"'))


def spoil_polygon(of: dict[str, Path]) -> None:
    content = json.loads(of['polygons'].read_text())
    content['objects'][0]['polygon'] = [[1, 1]]
    of['polygons'].write_text(json.dumps(content))


def polygons_of(**changes: object) -> Callable[[dict[str, Path]], None]:
    """Change what is in a file of polygons."""

    def spoil(of: dict[str, Path]) -> None:
        content = json.loads(of['polygons'].read_text())
        of['polygons'].write_text(json.dumps({**content, **changes}))

    return spoil


def polygon(*points: object) -> list[dict]:
    return [dict(label='sky', polygon=[*points])]


def spoil_depth(of: dict[str, Path]) -> None:
    of['polygons'].write_text('[' * 100_000)


def spoil_ids_size(of: dict[str, Path]) -> None:
    of['polygons'].unlink()
    save(of['ids'], np.zeros((6000, 6000), np.uint8))


def spoil_ids(of: dict[str, Path]) -> None:
    of['polygons'].unlink()
    save(of['ids'], np.full((HEIGHT, WIDTH), 40, np.uint8))


def spoil_ids_kind(of: dict[str, Path]) -> None:
    of['polygons'].unlink()
    save(of['ids'], np.zeros((HEIGHT, WIDTH, 3), np.uint8))


@pytest.mark.parametrize(
    ('spoil', 'which', 'words'),
    [
        (spoil_image_size, 'polygons', 'is 64×32 pixels, its image 128×32'),
        (spoil_image, 'image', 'cannot be read'),
        (spoil_json, 'polygons', 'is not valid JSON'),
        (spoil_label, 'polygons', "has the label 'skyy'"),
        (spoil_polygon, 'polygons', 'has a polygon that cannot be drawn'),
        (spoil_depth, 'polygons', 'is nested too deep'),
        (
            polygons_of(imgHeight=60_000, imgWidth=60_000),
            'polygons',
            'is 60000×60000 pixels, and more than 34 M are no frame of a street',
        ),
        (polygons_of(imgHeight=-1), 'polygons', 'is of 64×-1 pixels'),
        (polygons_of(imgWidth='64'), 'polygons', 'is of 64×32 pixels'),
        (polygons_of(objects=None), 'polygons', 'is no annotation of polygons'),
        (
            polygons_of(objects=polygon([1e300, 0], [1, 1])),
            'polygons',
            'has the point [1e+300, 0], not x and y',
        ),
        (
            polygons_of(objects=polygon([0, float('nan')])),
            'polygons',
            'has the point [0, nan], not x and y',
        ),
        (polygons_of(objects=polygon([1])), 'polygons', 'has the point [1], not x'),
        (
            polygons_of(objects=polygon(*[[0, 0], [9, 31]] * 800_000)),
            'polygons',
            'has 1600000 points in 1 polygons, far more than',
        ),
        (
            polygons_of(objects=polygon() * 3000, imgWidth=2048, imgHeight=1024),
            'polygons',
            'has 0 points in 3000 polygons, far more than',
        ),
        (spoil_ids_size, 'ids', 'is 6000×6000 pixels, and more than 34 M'),
        (spoil_ids, 'ids', 'has the value 40, which is no label id'),
        (spoil_ids_kind, 'ids', 'has pixels of kind RGB'),
    ],
)
def test_a_fault_names_the_file_and_spares_the_others(root, spoil, which, words, capfd):
    of = paths(root, 'train')
    spoil(of)
    report = prepare_cityscapes(root)
    assert len(report.faults) == 1
    assert report.faults[0].startswith(str(of[which]))
    assert words in report.faults[0]
    assert report.faults[0] in report.error
    assert report.ways == {'from polygons': 1}
    assert not of['train_ids'].exists()
    assert capfd.readouterr().out == ''


def test_what_is_missing_is_named(root):
    lone = add_frame(root, 'train', 'ulm/ulm_000001_000019')
    for kind in ('ids', 'polygons'):
        lone[kind].unlink()
    add_frame(root, 'val', 'lindau/lindau_000000_000019')['image'].unlink()
    report = prepare_cityscapes(root)
    train, val, test = report.splits
    assert train.images - train.labels == {'ulm/ulm_000001_000019'}
    assert val.labels - val.images == {'lindau/lindau_000000_000019'}
    assert (len(train.usable), len(val.usable), len(test.usable)) == (1, 1, 1)
    assert '1 images have no annotations' in report.error
    assert 'train/ulm/ulm_000001_000019' in report.error


def test_images_of_the_test_set_alone_can_be_used(root):
    for split in ('train', 'val'):
        shutil.rmtree(root / 'leftImg8bit' / split)
    assert prepare_cityscapes(root).error is None
    shutil.rmtree(root / 'leftImg8bit/test')
    assert 'there is no image' in prepare_cityscapes(root).error


@pytest.mark.parametrize('folder', ['leftImg8bit', 'gtFine'])
def test_a_missing_part_says_where_to_get_it(root, folder):
    shutil.move(root / folder, root / 'unpacked' / folder)
    with pytest.raises(UserError, match=rf'move .*unpacked/{folder} there'):
        prepare_cityscapes(root)
    shutil.rmtree(root / 'unpacked')
    with pytest.raises(
        UserError, match=rf'neither {folder}/ nor {folder}_trainvaltest'
    ):
        prepare_cityscapes(root)


def test_several_processes_make_the_same(root, monkeypatch):
    monkeypatch.setattr(files, 'SHARE', 1)
    assert prepare_cityscapes(root, jobs=2).ways == {'from polygons': 2}
    np.testing.assert_array_equal(read(paths(root, 'train')['train_ids']), expected())


def test_mmsegmentation_reads_it(root):
    import litehrnet_mm  # noqa: F401, I001  (before mmseg)
    from mmseg.datasets import CityscapesDataset
    from mmseg.datasets.transforms import LoadAnnotations

    prepare_cityscapes(root)
    dataset = CityscapesDataset(
        data_root=str(root),
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=[],
    )
    (info,) = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert info['img_path'] == str(paths(root, 'train')['image'])
    loaded = LoadAnnotations()(info)['gt_seg_map']
    np.testing.assert_array_equal(loaded, expected())


def test_a_real_frame(shared_data, tmp_path):
    from cityscapesscripts.helpers.labels import id2label

    root = tmp_path / 'sample'
    shutil.copytree(
        shared_data / 'cityscapes_sample', root, copy_function=shutil.copyfile
    )
    of = paths(root, 'val', 'frankfurt/frankfurt_000000_000294')
    drawn = read(of['train_ids'])
    assert prepare_cityscapes(root).ways == {'there already': 1}
    of['train_ids'].unlink()
    assert prepare_cityscapes(root).ways == {'from label ids': 1}
    made = read(of['train_ids'])
    ids = np.vectorize(lambda x: id2label[x].trainId % 256)(read(of['ids']))
    np.testing.assert_array_equal(made, ids)
    # The sample's was drawn from polygons, which differ along edges.
    assert 0 < (made != drawn).mean() < 0.003
