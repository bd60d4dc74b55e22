"""CamVid from made-up originals and from real frames of SegNet's copy."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation import camvid
from litehrnet_mm.datasets.preparation.camvid import prepare_camvid
from litehrnet_mm.datasets.preparation.camvid_facts import GROUPS, official_split

FRAMES = {'train': '0001TP_006690', 'val': '0016E5_07959', 'test': 'Seq05VD_f00000'}
IMAGES, LABELS = '701_StillsRaw_full', 'LabeledApproved_full'

# One of each group, from the list of colours that comes with CamVid.
SOME = {
    (128, 128, 128): 0,  # Sky
    (64, 192, 0): 1,  # Wall
    (0, 0, 64): 2,  # TrafficCone
    (128, 0, 192): 3,  # LaneMkgsDriv
    (0, 0, 192): 4,  # Sidewalk
    (192, 192, 0): 5,  # VegetationMisc
    (0, 64, 64): 6,  # TrafficLight
    (64, 64, 128): 7,  # Fence
    (64, 128, 192): 8,  # SUVPickupTruck
    (192, 128, 64): 9,  # Child
    (192, 0, 192): 10,  # MotorcycleScooter
    (0, 0, 0): 11,  # Void
}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def read(path: Path, mode: str = 'L') -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == mode
        return np.array(image)


def stripes() -> np.ndarray:
    """A label map at full size: twelve stripes of 80 pixels in the colours of SOME."""
    return np.repeat(np.array([list(SOME)], np.uint8), 720, 0).repeat(80, 1)


def checks() -> np.ndarray:
    """An image at full size: of each 2×2 pixels one is 200, the others 0."""
    image = np.zeros((720, 960, 3), np.uint8)
    image[::2, ::2] = 200
    return image


def contents(out: Path) -> dict[str, bytes]:
    found = sorted(path for path in out.rglob('*') if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def original(tmp_path) -> Path:
    """A frame of each split in the layout of the original CamVid."""
    for frame in FRAMES.values():
        save(tmp_path / 'original' / IMAGES / f'{frame}.png', checks())
        save(tmp_path / 'original' / LABELS / f'{frame}_L.png', stripes())
    return tmp_path / 'original'


@pytest.fixture
def segnet(tmp_path) -> Path:
    """A frame of each split in the layout of SegNet's copy."""
    labels = np.arange(360 * 480).reshape(360, 480) % 12
    for split, frame in FRAMES.items():
        folder = tmp_path / 'segnet'
        save(folder / split / f'{frame}.png', checks()[:360, :480])
        save(folder / f'{split}annot' / f'{frame}.png', labels.astype(np.uint8))
    return tmp_path / 'segnet'


def test_published_facts():
    assert Counter(official_split().values()) == {'train': 367, 'val': 101, 'test': 233}
    colours = [colour for group in GROUPS.values() for colour in group.values()]
    assert len(colours) == len(set(colours)) == 32


def test_split_agrees_with_real_frames(shared_data):
    of = official_split()
    names = sorted((shared_data / 'camvid_mini/images').glob('*/*.png'))
    assert len(names) == 110
    assert [of[x.stem] for x in names] == [x.parent.name for x in names]


def test_the_original(original, tmp_path):
    out = tmp_path / 'out'
    report = prepare_camvid(original, out)
    assert report.layout == 'the original'
    assert report.ways == {'made': 3}
    assert report.error is None
    assert {x.name: (len(x.usable), x.official) for x in report.splits} == {
        'train': (1, 367),
        'val': (1, 101),
        'test': (1, 233),
    }
    columns = np.repeat(list(SOME.values()), 40)
    for split, frame in FRAMES.items():
        labels = read(out / f'labels/{split}/{frame}.png')
        np.testing.assert_array_equal(labels, np.tile(columns, (360, 1)))
        image = read(out / f'images/{split}/{frame}.png', 'RGB')
        np.testing.assert_array_equal(image, np.full((360, 480, 3), 50))
    assert len(contents(out)) == 6


def test_its_archives_give_the_same(original, tmp_path):
    prepare_camvid(original, tmp_path / 'unpacked')
    packed = tmp_path / 'packed'
    packed.mkdir()
    for folder, inside in ((IMAGES, f'{IMAGES}/'), (LABELS, '')):
        with zipfile.ZipFile(packed / f'{folder}.zip', 'w') as archive:
            archive.writestr(f'{inside}Thumbs.db', b'x')
            for path in (original / folder).iterdir():
                archive.write(path, f'{inside}{path.name}')
    assert prepare_camvid(packed, tmp_path / 'out').ways == {'made': 3}
    assert contents(tmp_path / 'out') == contents(tmp_path / 'unpacked')


def test_segnets_copy_stays_as_it_is(segnet, tmp_path):
    out = tmp_path / 'out'
    report = prepare_camvid(segnet, out)
    assert report.layout == "SegNet's copy"
    assert report.error is None
    for split, frame in FRAMES.items():
        for kind, folder, mode in (('images', '', 'RGB'), ('labels', 'annot', 'L')):
            np.testing.assert_array_equal(
                read(out / kind / split / f'{frame}.png', mode),
                read(segnet / f'{split}{folder}' / f'{frame}.png', mode),
            )


def test_real_frames(shared_data, tmp_path):
    mini, source = shared_data / 'camvid_mini', tmp_path / 'CamVid'
    for split in ('train', 'val'):
        for kind, folder in (('images', split), ('labels', f'{split}annot')):
            (source / folder).mkdir(parents=True)
            for path in sorted((mini / kind / split).iterdir())[:3]:
                shutil.copyfile(path, source / folder / path.name)
    report = prepare_camvid(source, tmp_path / 'out')
    assert report.ways == {'made': 6}
    made = sorted((tmp_path / 'out').rglob('*.png'))
    assert len(made) == 12
    for path in made:
        mode = 'RGB' if 'images' in path.parts else 'L'
        real = mini / path.relative_to(tmp_path / 'out')
        np.testing.assert_array_equal(read(path, mode), read(real, mode))


def test_mmsegmentation_needs_no_class_of_its_own_for_it(original, tmp_path):
    import litehrnet_mm  # noqa: F401, I001  (before mmseg)
    from mmseg.datasets import BaseSegDataset
    from mmseg.datasets.transforms import LoadAnnotations

    out, frame = tmp_path / 'out', FRAMES['val']
    prepare_camvid(original, out)
    dataset = BaseSegDataset(
        data_root=str(out),
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        img_suffix='.png',
        metainfo=dict(classes=list(GROUPS)[:11]),
        ignore_index=11,
        pipeline=[],
    )
    (info,) = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert info['img_path'] == str(out / f'images/val/{frame}.png')
    loaded = LoadAnnotations()(info)['gt_seg_map']
    np.testing.assert_array_equal(loaded, read(out / f'labels/val/{frame}.png'))


def test_a_second_run_writes_only_what_is_missing_or_cut(original, tmp_path):
    out = tmp_path / 'out'
    prepare_camvid(original, out)
    before = contents(out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob('*.png')}
    assert prepare_camvid(original, out).ways == {'there already': 3}
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob('*.png')}
    image = out / f'images/val/{FRAMES["val"]}.png'
    image.write_bytes(image.read_bytes()[:-500])
    (out / f'labels/test/{FRAMES["test"]}.png').unlink()
    assert prepare_camvid(original, out).ways == {'made': 2, 'there already': 1}
    assert contents(out) == before


def test_unknown_colours_are_listed_and_not_guessed(original, tmp_path):
    out, path = tmp_path / 'out', original / LABELS / f'{FRAMES["val"]}_L.png'
    labels = stripes()
    labels[:2, :10] = (1, 2, 3)
    labels[2, 0] = (9, 9, 9)
    save(path, labels)
    report = prepare_camvid(original, out)
    assert report.unknown == [
        f'{path} has the colour (1, 2, 3) in 20 pixels',
        f'{path} has the colour (9, 9, 9) in 1 pixels',
    ]
    assert '1 frames could not be made' in report.error
    assert str(path) in report.error
    assert not (out / 'labels/val').exists()
    assert report.ways == {'made': 2}

    report = prepare_camvid(original, out, unknown_as_void=True)
    assert len(report.unknown) == 2
    assert report.error is None
    made = read(out / f'labels/val/{FRAMES["val"]}.png')
    assert (made[0, :5] == 11).all()
    assert (made[0, 5:40] == 0).all()


def test_splits_of_ones_own(original, tmp_path):
    lists = tmp_path / 'lists'
    lists.mkdir()
    train, val, test = FRAMES.values()
    (lists / 'train.txt').write_text(f'/S/train/{val}.png /S/trainannot/{val}.png\n\n')
    (lists / 'val.txt').write_text(f'{train}\n')
    (lists / 'test.txt').write_text('')
    report = prepare_camvid(original, tmp_path / 'out', lists)
    assert (tmp_path / f'out/labels/train/{val}.png').is_file()
    assert (tmp_path / f'out/labels/val/{train}.png').is_file()
    assert report.unassigned == [test]
    assert [x.official for x in report.splits] == [1, 1, 0]

    (lists / 'test.txt').write_text(f'{val}\n')
    with pytest.raises(UserError, match=rf'test\.txt has {val}, as train\.txt does'):
        prepare_camvid(original, tmp_path / 'out', lists)
    (lists / 'val.txt').unlink()
    with pytest.raises(UserError, match=r'val\.txt cannot be read'):
        prepare_camvid(original, tmp_path / 'out', lists)


def test_what_is_missing_is_named(original, tmp_path):
    (original / LABELS / f'{FRAMES["train"]}_L.png').unlink()
    (original / IMAGES / f'{FRAMES["test"]}.png').unlink()
    report = prepare_camvid(original, tmp_path / 'out')
    train, val, test = report.splits
    assert train.images - train.labels == {FRAMES['train']}
    assert test.labels - test.images == {FRAMES['test']}
    assert val.usable == {FRAMES['val']}
    assert report.error is None
    shutil.rmtree(original / IMAGES)
    with pytest.raises(UserError, match='is no CamVid'):
        prepare_camvid(original, tmp_path / 'out')


def spoil_value(labels: Path) -> None:
    save(labels, np.full((360, 480), 12, np.uint8))


def spoil_size(labels: Path) -> None:
    save(labels, np.zeros((180, 240), np.uint8))


def spoil_shape(labels: Path) -> None:
    save(labels, np.zeros((360, 360), np.uint8))
    save(labels.parents[1] / 'train' / labels.name, np.zeros((360, 360, 3), np.uint8))


def spoil_pixels(labels: Path) -> None:
    save(labels, np.zeros((4500, 8000), np.uint8))


def spoil_file(labels: Path) -> None:
    labels.write_bytes(labels.read_bytes()[:60])


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (spoil_value, 'has the value 12, classes are 0 to 11'),
        (spoil_size, 'is 240×180 pixels, its image 480×360'),
        (spoil_shape, 'is 360×360 pixels, not 4:3'),
        (spoil_file, 'cannot be read'),
        (spoil_pixels, 'is 8000×4500 pixels, and more than 34 M'),
    ],
)
def test_a_fault_names_the_file_and_spares_the_others(segnet, tmp_path, spoil, words):
    labels = segnet / 'trainannot' / f'{FRAMES["train"]}.png'
    spoil(labels)
    report = prepare_camvid(segnet, tmp_path / 'out')
    (fault,) = report.faults
    assert fault.startswith(str(labels))
    assert words in fault
    assert fault in report.error
    assert report.ways == {'made': 2}


def test_a_frame_in_two_splits_is_refused(segnet, tmp_path):
    name = f'{FRAMES["train"]}.png'
    shutil.copyfile(segnet / 'train' / name, segnet / 'val' / name)
    with pytest.raises(UserError, match=rf'val/{name} is also in .*train'):
        prepare_camvid(segnet, tmp_path / 'out')


def test_a_cut_archive_says_so(original, tmp_path):
    (original / f'{IMAGES}.zip').write_bytes(b'PK')
    with pytest.raises(UserError, match='is no whole zip archive'):
        prepare_camvid(original, tmp_path / 'out')


def test_places_that_cannot_be_written_to(original, tmp_path):
    with pytest.raises(UserError, match='name a folder outside it'):
        prepare_camvid(original, original / 'out')
    (tmp_path / 'file').write_text('x')
    with pytest.raises(UserError, match='cannot write'):
        prepare_camvid(original, tmp_path / 'file')


def test_the_colour_table_knows_no_other_colour():
    assert (camvid._colour_table() != camvid.UNKNOWN).sum() == 32
