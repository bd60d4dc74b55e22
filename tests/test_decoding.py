"""Pictures are decoded; whatever their name, they are not run."""

from __future__ import annotations

import os
import re
import struct
import zlib
from pathlib import Path

import pytest
from image_targets import HEIGHT, WIDTH, encoded, pixels
from mmengine import fileio
from PIL import EpsImagePlugin, Image

import litehrnet_mm.engine  # noqa: F401  # has MMEngine read regular files only
from litehrnet_mm.checking.images import look_at_image
from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation.files import image_size, read_ids, read_rgb
from litehrnet_mm.decoding import KindError, check_scans, decode
from litehrnet_mm.engine.mask_files import check_headers, check_sums
from litehrnet_mm.visualization import read_image

POSTSCRIPT = (
    b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n'
    b'(code) print\nshowpage\n'
)


@pytest.fixture
def trace(tmp_path, monkeypatch):
    """What there is once Ghostscript was started: a stand-in for it is on the path."""
    path, program = tmp_path / 'trace', tmp_path / 'bin' / 'gs'
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {path}\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, 'gs_binary', None)  # it is looked for again
    return path


def look(path: Path) -> None:
    raise UserError(look_at_image(path).reason)


def headers(path: Path) -> None:
    check_headers(dict(img_path=str(path), seg_map_path=str(path)))


READERS = dict(
    read_image=read_image, look=look, headers=headers, read_ids=read_ids,
    sums=lambda path: check_sums(str(path)), read_rgb=read_rgb, size=image_size,
)  # fmt: skip


@pytest.mark.parametrize('reader', READERS)
def test_postscript_that_passes_for_a_picture_is_not_run(reader, tmp_path, trace):
    path = tmp_path / 'photo.jpg'
    path.write_bytes(POSTSCRIPT)
    with pytest.raises((UserError, ValueError)) as refused:
        READERS[reader](path)
    assert str(refused.value).isprintable()
    assert not trace.exists()


def test_one_place_opens_pictures(repository):
    """And says which kinds Pillow may take them for."""
    calls = [
        (path.name, call)
        for folder in ('litehrnet_mm', 'tools')
        for path in (repository / folder).rglob('*.py')
        for call in re.findall(r'\bImage\.open\(.*', path.read_text())
    ]
    assert calls == [('decoding.py', 'Image.open(source, formats=FORMATS) as image:')]


@pytest.mark.parametrize('kind', ['JPEG2000', 'PPM', 'PCX'])
def test_kinds_that_are_not_read_are_said_to_be_so(kind, tmp_path):
    path = tmp_path / 'photo.jpg'
    path.write_bytes(encoded(pixels(0), kind))
    for reader in READERS:
        with pytest.raises((UserError, ValueError)):
            READERS[reader](path)
    with pytest.raises(UserError, match=r'photo\.jpg cannot be read: .*none of BMP,'):
        read_image(path)


@pytest.mark.parametrize('kind', ['GIF', 'TIFF'])
def test_kinds_that_only_masks_may_have(kind, tmp_path, capfd):
    path = tmp_path / 'photo.png'
    picture = pixels(0)[..., 0]
    path.write_bytes(encoded(picture.astype('f4' if kind == 'TIFF' else 'u1'), kind))
    with pytest.raises(UserError, match=f'it is a {kind}.*, which is not read; save'):
        read_image(path)
    assert capfd.readouterr().err == ''  # OpenCV would tell more
    if kind == 'GIF':
        assert read_ids(path).shape == picture.shape


def bomb(scans: int, **options: object) -> bytes:
    """A progressive JPEG whose last scan is there again and again."""
    content = encoded(pixels(0), 'JPEG', progressive=True, **options)
    begin, end = content.rindex(b'\xff\xc4'), content.rindex(b'\xff\xd9')
    more = scans - content.count(b'\xff\xda')
    return content[:end] + content[begin:end] * more + content[end:]


def decodes(path: Path) -> None:
    decode(path.read_bytes())


DECODERS = dict(
    read_image=read_image, look=look, read_ids=read_ids, read_rgb=read_rgb,
    decode=decodes, training=fileio.get,
)  # fmt: skip


@pytest.mark.parametrize('reader', DECODERS)
def test_a_jpeg_of_very_many_scans(reader, tmp_path):
    path = tmp_path / 'photo.png'
    path.write_bytes(bomb(65))
    with pytest.raises((UserError, ValueError, OSError), match='is a JPEG of more tha'):
        DECODERS[reader](path)
    # What scans there are seem to be more: in what a camera adds, before and behind.
    thumbnail = pixels_exif(b'\xff\xda' * 70)
    for content in (bomb(64, exif=thumbnail), bomb(20) + b'\xff\xda\0\0' * 99):
        path.write_bytes(content)
        assert decode(content)[1] == (WIDTH, HEIGHT)
        assert fileio.get(path) == content


def pixels_exif(content: bytes) -> Image.Exif:
    """EXIF with something that only its camera understands."""
    exif = Image.Exif()
    exif[0x927C] = content
    return exif


@pytest.mark.parametrize('noise', [b'\xff\x02\xff\xff', b'\xff\xd8', b'\xff\xd0'])
def test_scans_are_not_hidden(noise):
    """Behind marks that have no length."""
    content = bomb(65)
    place = content.index(b'\xff\xda') + 100
    with pytest.raises(KindError):
        check_scans(content[:place] + noise + content[place:])


def tiled(side: int) -> bytes:
    """A TIFF of 64x64 pixels in one tile of a side."""
    data = zlib.compress(bytes(side))
    tags = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1)]
    tags += [(322, side), (323, side), (324, 8 + 2 + 12 * 10 + 4), (325, len(data))]
    entries = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags)
    start = struct.pack('<2sHIH', b'II', 42, 8, len(tags))
    return start + entries + bytes(4) + data


def test_a_tiff_in_tiles_that_are_far_larger(tmp_path):
    path = tmp_path / 'photo.jpg'
    path.write_bytes(tiled(26_700))
    for reader in READERS:
        with pytest.raises((UserError, ValueError), match='in far larger tiles'):
            READERS[reader](path)
    path.write_bytes(tiled(4096))
    assert image_size(path) == (64, 64)
