"""Files of a user that are none, or have odd names: refused in a line, at once."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from coco_targets import annotations
from image_targets import HEIGHT, WIDTH, film_seeds
from mmengine import fileio

import litehrnet_mm.engine  # noqa: F401  # has MMEngine read regular files only
from litehrnet_mm import files
from litehrnet_mm.analysis.dumps import read_dump
from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.checking.coco_entries import read_images
from litehrnet_mm.checking.coco_file import read_json
from litehrnet_mm.checking.copies import check_copy
from litehrnet_mm.checking.findings import WARNING, Findings
from litehrnet_mm.checking.images import look_at_image
from litehrnet_mm.checking.sets import coco_set, folder_set
from litehrnet_mm.checkpoints.pdparams import read_pdparams
from litehrnet_mm.cli import UserError, check_file, make_folder
from litehrnet_mm.datasets.preparation.camvid import Entry, read_splits
from litehrnet_mm.datasets.preparation.cityscapes import draw_polygons
from litehrnet_mm.datasets.preparation.files import open_archive, read_ids
from litehrnet_mm.engine.mask_files import check_headers, check_sums
from litehrnet_mm.engine.mask_loading import Labels
from litehrnet_mm.evaluation.coco_keypoints import read_persons
from litehrnet_mm.files import as_text, read_regular
from litehrnet_mm.prediction import sources
from litehrnet_mm.prediction.boxes import FileBoxes
from litehrnet_mm.prediction.inputs import report_damaged
from litehrnet_mm.prediction.onnx_check import check_onnx
from litehrnet_mm.prediction.results import FilmWriter
from litehrnet_mm.prediction.sources import open_sources
from litehrnet_mm.visualization import read_image, write_image
from litehrnet_mm.workflow import read_record

ROW = '{"step": 1, "iter": 1, "loss": 1.0}'


def look_for_pictures(path: Path) -> None:
    """As tools/predict.py does with a folder, or a picture."""
    (source,) = open_sources([str(path)])
    assert [*source] == []
    report_damaged([source])


def look_at_facts(path: Path) -> None:
    raise UserError(f'{path}: {look_at_image(path).reason}')


def read_beside(path: Path) -> None:
    """A log with a config beside it, as a run that went on has it."""
    for run in ('1', '2'):
        log = path.parent / run / 'vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text(ROW)
    (path.parent / '2/vis_data/config.py').symlink_to(path)
    read_log(path.parent, 'run')


READERS = {
    'annotations': ('x.json', read_json),
    'a picture': ('x.jpg', read_image),
    'a picture to predict on': ('x.jpg', look_for_pictures),
    'a folder of pictures': ('x.jpg', lambda path: look_for_pictures(path.parent)),
    'a picture that is checked': ('x.jpg', look_at_facts),
    'a film': ('x.mp4', lambda path: open_sources([str(path)])),
    'films': ('x.mp4', lambda path: open_sources([f'{path.parent}/*.mp4'])),
    'boxes': ('x.json', lambda path: FileBoxes.read(path, 0)),
    'a log': ('scalars.json', lambda path: read_log(path, 'run')),
    'a record': ('comparison.json', read_record),
    'an image of a mask': (
        'x.png',
        lambda path: check_headers(dict(img_path=str(path), seg_map_path=str(path))),
    ),
    'a mask': ('x.png', lambda path: check_sums(str(path))),
    "MMEngine's": ('x.jpg', fileio.get),
    "MMEngine's text": ('x.txt', fileio.get_text),
    'an archive': ('x.zip', open_archive),
    'a frame': ('x.png', lambda path: Entry(path.parent, path.name).read()),
    'a list of frames': ('train.txt', lambda path: read_splits(path.parent)),
    'a label map': ('x.png', read_ids),
    'polygons': ('x.json', draw_polygons),
    "Paddle's weights": ('x.pdparams', read_pdparams),
    'a network': ('x.onnx', check_onnx),
    'predictions': ('x.pkl', read_dump),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize('kind', ['pipe', 'device'])
@pytest.mark.parametrize('reader', READERS)
def test_pipes_and_devices_are_refused(reader, kind, tmp_path):
    name, read = READERS[reader]
    path = tmp_path / name
    os.mkfifo(path) if kind == 'pipe' else path.symlink_to('/dev/zero')
    with pytest.raises((UserError, ValueError, OSError)) as refused:
        read(path)
    said = str(refused.value)
    assert 'it is a device or pipe, no file' in said
    assert said.isprintable()
    if refused.type is not ValueError:  # of preparation, which adds the name
        assert str(path) in said


def test_what_is_not_there_or_a_folder_is_said_as_the_system_does(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent'):
        read_regular(tmp_path / 'absent')
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / 'x'
    path.write_bytes(bytes(1000))
    assert read_regular(path, 1000) == bytes(1000)
    with path.open('wb') as file:
        file.truncate(3 << 30)  # with a hole in the place of content
    with pytest.raises(OSError, match='it is larger than 2 GB'):
        read_regular(path)
    with pytest.raises(OSError, match='it is larger than 600 MB'):
        read_regular(path, 600 << 20)
    with pytest.raises(UserError, match=r'x cannot be read: it is larger than 2 GB'):
        read_json(path)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'\xef\xbb\xbf{}', 'byte order mark'),
        ('{}'.encode('utf-16'), 'UTF-16'),
        ('{}'.encode('utf-16-be'), 'UTF-16'),
        ('{}'.encode('utf-32'), 'UTF-16 or UTF-32'),
        ('ä'.encode('latin-1'), 'at byte 0'),
    ],
)
def test_text_is_plain_utf_8(content, words):
    with pytest.raises(ValueError, match=f'{words}.*save it as UTF-8'):
        as_text(content)
    assert as_text('ä'.encode()) == 'ä'


ODD = (b'non\xffutf8', b'new\nline', 'ü 人'.encode(), b'%02d {x} $HOME')


@pytest.mark.parametrize('name', ODD)
def test_pictures_of_any_name_are_written_and_read(name, tmp_path):
    pixels = np.full((8, 9, 3), 77, np.uint8)
    path = tmp_path / os.fsdecode(name) / f'{os.fsdecode(name)}.png'
    write_image(path, pixels)
    (source,) = open_sources([str(path.parent)])
    (frame,) = source
    assert (frame.image == pixels).all()


@pytest.mark.parametrize('name', ODD[:1])
def test_films_of_a_name_that_opencv_does_not_bear(name, tmp_path):
    path = tmp_path / f'{os.fsdecode(name)}.avi'
    path.write_bytes(b'RIFF')
    with pytest.raises(UserError, match='needs a path in UTF-8: rename it'):
        open_sources([str(path)])
    with pytest.raises(UserError, match='needs a path in UTF-8'):
        FilmWriter(path, 25)


@pytest.mark.parametrize(
    'content',
    [
        'ffconcat version 1.0\nfile real.avi\n',
        '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/real.avi\n',
        '',
        'no film',
    ],
)
def test_a_list_of_films_is_no_film(content, tmp_path):
    (tmp_path / 'c.mp4').write_text(content)
    with pytest.raises(UserError, match=r'c\.mp4 cannot be read: it is none'):
        open_sources([str(tmp_path / 'c.mp4')])


def test_a_film_of_images_that_take_gigabytes(tmp_path, monkeypatch):
    path = tmp_path / 'c.avi'
    path.write_bytes(film_seeds()[0]['x.avi'])
    read = []
    monkeypatch.setattr(sources, 'MOST_PIXELS', WIDTH * HEIGHT)
    (film,) = open_sources([str(path)])
    assert len([*film]) == 6
    monkeypatch.setattr(sources, 'MOST_PIXELS', WIDTH * HEIGHT - 1)
    monkeypatch.setattr(cv2.VideoCapture, 'read', read.append, raising=False)
    with pytest.raises(UserError, match=rf'c\.avi is of {WIDTH}x{HEIGHT} pixels, more'):
        open_sources([str(path)])
    assert read == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / 'folder' / 'x'
    files.write_whole(path, b'1')
    write = Path.write_bytes

    def fill_disk(path: Path, data: bytes) -> None:
        write(path, data[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, 'write_bytes', fill_disk)
    with pytest.raises(UserError, match=r'cannot write .*x: No space left'):
        files.write_whole(path, b'23')
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == b'1'


@pytest.mark.parametrize('name', ['a' * 5000, 'a\0b.jpg', 'a\ud800b.jpg', 'a\nb.jpg'])
def test_images_of_names_that_no_file_can_have(name, tmp_path):
    content = annotations(0)
    content['images'][0]['file_name'] = name
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r'3 images of .* are not in') as refused:
        read_persons(path, tmp_path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_images_outside_their_folder_may_be_meant(tmp_path):
    names = ['/dev/zero', '../x.jpg', 'a/../../x.jpg', 'train/a..b/x.jpg', 'x.jpg']
    records = [
        dict(id=k, file_name=name, width=1, height=1) for k, name in enumerate(names)
    ]
    findings = Findings()
    images = read_images(json.loads(json.dumps(records)), tmp_path, findings)
    assert set(images.entries) == {0, 1, 2, 3, 4}
    found = findings.of('image-outside')
    assert found == findings.items
    assert [x.value for x in found] == names[:3]
    assert found[0].level == WARNING
    device = look_at_image(images.entries[0].path)
    assert device.reason == 'it is a device or pipe, no file'


LONG = 'x' * 300
LOOKED_FOR = {
    'annotations': lambda folder: coco_set(folder / LONG, folder, None),
    'images': lambda folder: coco_set(folder / 'x.txt', folder / LONG, None),
    'masks': lambda folder: folder_set(folder, folder / LONG, *MASKS),
    'a list': lambda folder: folder_set(folder, folder, *MASKS, f'{folder}/{LONG}'),
    'a copy': lambda folder: write_copies_into(folder / LONG),
    'a report': lambda folder: check_file('--report', folder / LONG / 'x.json'),
    'pictures': lambda folder: open_sources([f'{folder}/{LONG}.jpg']),
    'a camera': lambda folder: open_sources(['99999999999']),
    'a camera of many digits': lambda folder: open_sources(['1' * 5000]),
}
MASKS = Labels(3, 255), ('.jpg', '.png')


def write_copies_into(out: Path) -> None:
    check_copy(out, False, [])
    make_folder(out)


@pytest.mark.parametrize('what', LOOKED_FOR)
def test_names_and_numbers_too_long_to_be_are_not_there(what, tmp_path):
    (tmp_path / 'x.txt').write_text('')
    with pytest.raises(UserError, match=r'x{50}|number (9{11}$|1{50})') as no:
        LOOKED_FOR[what](tmp_path)
    assert str(no.value).isprintable()


def test_a_link_to_nothing_is_no_place_for_a_copy(tmp_path):
    (tmp_path / 'out').symlink_to(tmp_path / 'absent')
    with pytest.raises(UserError, match=r'out exists: give another name'):
        check_copy(tmp_path / 'out', False, [])
