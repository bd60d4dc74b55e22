"""Images of all oddities: predicted on and drawn, or refused in one line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_targets import encoded, pixels, turned
from other_targets import onnx_seeds
from PIL import Image

from litehrnet_mm.checking.images import look_at_image
from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.boxes import SameBoxes
from litehrnet_mm.prediction.inputs import report_damaged
from litehrnet_mm.prediction.networks import open_network
from litehrnet_mm.prediction.results import LabelResults, PoseResults
from litehrnet_mm.prediction.sources import open_sources

HEIGHT, WIDTH = pixels(0).shape[:2]
COLOUR, GREY = pixels(0), pixels(1)[..., 0]


def as_file(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def claimed(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size, with all sums right."""
    header = struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    content = zlib.compress(bytes(1000))
    parts = ((b'IHDR', header), (b'IDAT', content), (b'IEND', b''))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(x)) + k + x + struct.pack('>I', zlib.crc32(k + x))
        for k, x in parts
    )


RGBA = np.dstack((COLOUR, GREY))
JPEG, PNG = encoded(COLOUR, 'JPEG'), encoded(COLOUR, 'PNG')
PROGRESSIVE = encoded(COLOUR, 'JPEG', progressive=True)
SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b'\xff\xc4') : -2]
PALETTE = Image.fromarray(COLOUR).quantize(16)
WIDE = np.zeros((3, 20_000, 3), np.uint8)
SIZE = (HEIGHT, WIDTH)
GOOD = {
    '16 bits, grey.png': (encoded(GREY.astype(np.uint16) * 257, 'PNG'), SIZE),
    '16 bits, grey.tif': (encoded(GREY.astype(np.uint16) * 257, 'TIFF'), SIZE),
    'grey.jpg': (encoded(GREY, 'JPEG'), SIZE),
    'grey with alpha.png': (as_file(Image.fromarray(RGBA).convert('LA'), 'PNG'), SIZE),
    'one bit.png': (as_file(Image.fromarray(GREY).convert('1'), 'PNG'), SIZE),
    'transparent.png': (encoded(RGBA, 'PNG'), SIZE),
    'palette.png': (as_file(PALETTE, 'PNG', transparency=3), SIZE),
    'CMYK.jpg': (as_file(Image.fromarray(COLOUR).convert('CMYK'), 'JPEG'), SIZE),
    'progressive.jpg': (PROGRESSIVE, SIZE),
    'lossless.webp': (encoded(COLOUR, 'WEBP', lossless=True), SIZE),
    'packed.tif': (encoded(COLOUR, 'TIFF', compression='tiff_lzw'), SIZE),
    'PNG by content.jpg': (PNG, SIZE),
    'JPEG by content.png': (JPEG, SIZE),
    'one pixel.png': (encoded(COLOUR[:1, :1], 'PNG'), (1, 1)),
    'one row.jpg': (encoded(COLOUR[:1], 'JPEG'), (1, WIDTH)),
    '20,000 wide.png': (encoded(WIDE, 'PNG'), (3, 20_000)),
    '20,000 wide.jpg': (encoded(WIDE, 'JPEG'), (3, 20_000)),
    '20,000 high.png': (encoded(WIDE.transpose(1, 0, 2), 'PNG'), (20_000, 3)),
    'more behind the end.jpg': (JPEG + bytes(1000), SIZE),
    'as if scans, behind the end.jpg': (JPEG + SCAN * 99, SIZE),
    **{
        f'turned {k}.jpg': (
            encoded(COLOUR, 'JPEG', exif=turned(k)),
            SIZE if k < 5 else SIZE[::-1],
        )
        for k in range(1, 9)
    },
}
BAD = {
    'empty.jpg': b'',
    'one byte.png': b'\x89',
    'text.jpg': b'no picture at all',
    'page.png': b'<!DOCTYPE html><html><body>404</body></html>',
    'zeros.jpg': bytes(5000),
    'half.jpg': JPEG[: len(JPEG) // 2],
    'nearly whole.jpg': JPEG[:-40],
    'very many scans.jpg': PROGRESSIVE[:-2] + SCAN * 64 + PROGRESSIVE[-2:],
    'half.png': PNG[: len(PNG) // 2],
    'half.webp': encoded(COLOUR, 'WEBP')[:300],
    'half.tif': encoded(COLOUR, 'TIFF')[:2000],
    'half.bmp': encoded(COLOUR, 'BMP')[:2000],
    'head alone.png': PNG[:33],
    'a bit flipped.png': PNG[:200] + bytes([PNG[200] ^ 1]) + PNG[201:],
    'bomb, 30,000 by 30,000.png': claimed(30_000, 30_000),
    'bomb, 2**31 by 2**31.png': claimed(2**31 - 1, 2**31 - 1),
    'no width.png': claimed(0, 5),
    'claims too much.png': claimed(5000, 5000),
}


@pytest.fixture(scope='module')
def networks(tmp_path_factory) -> list:
    """Small ones, for poses and for classes."""
    found = []
    for k, files in enumerate(onnx_seeds()):
        path = tmp_path_factory.mktemp('networks') / f'{k}.onnx'
        path.write_bytes(files['x.onnx'])
        found.append(open_network([str(path)]))
    return found


@pytest.mark.parametrize('name', GOOD)
def test_an_odd_image_is_predicted_on(name, networks, tmp_path):
    content, size = GOOD[name]
    (tmp_path / name).write_bytes(content)
    (source,) = open_sources([str(tmp_path / name)])
    (frame,) = source
    report_damaged([source])
    assert frame.image.shape == (*size, 3)
    assert frame.image.dtype == np.uint8
    poses = PoseResults(networks[0], SameBoxes([]), 0)
    assert poses.add(frame).shape == frame.image.shape
    (record,) = poses.content()
    assert np.isfinite(record['keypoints']).all()
    labels = LabelResults(networks[1], None)
    assert labels.add(frame).shape[:2] >= frame.image.shape[:1]
    assert look_at_image(tmp_path / name).size == size[::-1]


@pytest.mark.parametrize('name', BAD)
def test_a_broken_image_is_passed_over_and_named(name, tmp_path):
    (tmp_path / name).write_bytes(BAD[name])
    (tmp_path / 'whole.png').write_bytes(PNG)
    sources = open_sources([str(tmp_path)])
    assert [frame.name for source in sources for frame in source] == ['whole.png']
    with pytest.raises(UserError) as refused:
        report_damaged(sources)
    said = str(refused.value)
    assert said.startswith(f'image {tmp_path / name} cannot be read: ')
    assert said.isprintable()
    facts = look_at_image(tmp_path / name)
    assert facts.fault == 'image-unreadable'
    assert facts.reason
    assert facts.reason.isprintable()


def test_a_folder_with_the_name_of_a_picture(tmp_path):
    (tmp_path / 'album.jpg').mkdir()
    (tmp_path / 'whole.png').write_bytes(PNG)
    sources = open_sources([str(tmp_path)])
    assert [frame.name for source in sources for frame in source] == ['whole.png']


def test_turned_images_are_upright(tmp_path):
    """What EXIF says is done to pixels: the brightest corner is where it should be."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:8, :8] = 255
    places = {1: (0, 0), 3: (-1, -1), 6: (0, -1), 8: (-1, 0)}
    for orientation, corner in places.items():
        path = Path(tmp_path / f'{orientation}.jpg')
        path.write_bytes(encoded(image, 'JPEG', exif=turned(orientation)))
        (source,) = open_sources([str(path)])
        (frame,) = source
        assert frame.image[corner].min() > 200
        assert frame.image[corner[0] - 8, corner[1] - 8].max() < 50
