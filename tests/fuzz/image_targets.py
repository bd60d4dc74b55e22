"""Readers of images and masks, for prediction, and before a run."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from isolation import OUT, Files, Input
from mmengine.registry import TRANSFORMS, DefaultScope
from mutations import BYTES, TEXT
from PIL import Image
from target import Target

from litehrnet_mm.checking.masks import look_at_pair
from litehrnet_mm.checking.sets import folder_set
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.mask_files import check_headers
from litehrnet_mm.engine.mask_loading import CheckedLoading, Labels
from litehrnet_mm.prediction.inputs import report_damaged
from litehrnet_mm.prediction.sources import open_sources

HEIGHT, WIDTH = 40, 56
CLASSES = 4


def pixels(seed: int) -> np.ndarray:
    """A smooth picture, as photographs are, BGR."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def encoded(image: np.ndarray, kind: str, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    """EXIF that says how a camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def jpeg_seeds() -> list[Files]:
    """Colour, grey, progressive and turned JPEG."""
    image = pixels(0)
    contents = (
        encoded(image, 'JPEG', quality=90),
        encoded(image[..., 0], 'JPEG'),
        encoded(image, 'JPEG', progressive=True, exif=turned(6)),
    )
    return [{'x.jpg': content} for content in contents]


def png_seeds() -> list[Files]:
    """Colour, grey, 16 bits, palette and transparent PNG."""
    image, grey = pixels(0), pixels(1)[..., 0]
    palette = io.BytesIO()
    Image.fromarray(image).quantize(16).save(palette, 'PNG')
    contents = (
        encoded(image, 'PNG'),
        encoded(grey, 'PNG'),
        encoded(grey.astype(np.uint16) * 200, 'PNG'),
        palette.getvalue(),
        encoded(np.dstack((image, grey)), 'PNG'),
    )
    return [{'x.png': content} for content in contents]


def other_seeds() -> list[Files]:
    """What else is taken for a picture, all under one name."""
    image = pixels(0)
    kinds = (('BMP', {}), ('WEBP', {}), ('WEBP', dict(lossless=True)), ('TIFF', {}))
    kinds += (
        ('TIFF', dict(compression='tiff_lzw')),
        ('TIFF', dict(compression='jpeg')),
    )
    return [{'x.bmp': encoded(image, kind, **more)} for kind, more in kinds]


def predict_on(folder: Path) -> Any:
    """Read a folder's pictures as tools/predict.py does."""
    sources = open_sources([str(folder)])
    frames = [frame for source in sources for frame in source]
    report_damaged(sources)
    return [(x.image.shape, x.image.dtype.name, x.image.tobytes()) for x in frames]


def judge_image(expected: Any, found: Any, item: Input) -> str:
    """Three channels of 8 bits; what was cut off must not be filled up."""
    for shape, kind, _ in found:
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != 'uint8':
            return f'read as {shape} of {kind}'
    if item.kind == 'cut' and found != expected:
        return 'what was cut off was filled up'
    return ''


def judge_png(expected: Any, found: Any, item: Input) -> str:
    """PNG has sums: the same pixels, or none."""
    fault = judge_image(expected, found, item)
    if fault or found == expected:
        return fault
    return 'other pixels than were written'


@cache
def bomb() -> bytes:
    """200 MB of zeros, packed."""
    return zlib.compress(bytes(200_000_000), 1)


def mended_sums(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change a chunk of a PNG, with its sum made right again: hostile, not damaged."""
    chunks, position = [], 8
    while position < len(data):
        (size,) = struct.unpack_from('>I', data, position)
        chunks.append((data[position + 4 : position + 8], data[position + 8 :][:size]))
        position += size + 12
    at = chance.randrange(len(chunks))
    kind, content = chunks[at]
    if kind == b'IHDR' and chance.random() < 0.7:
        sides = [chance.choice((0, 1, 30_000, 100_000, 2**31 - 1)) for _ in range(2)]
        sides[chance.randrange(2)] = chance.choice((1, 57, 20_000))
        content = struct.pack('>II', *sides) + content[8:]
    elif content:
        how = BYTES[chance.choice(list(BYTES))]
        content = how(content, content, chance)
    chunks[at] = kind, content
    if chance.random() < 0.2:
        chunks.insert(1, (b'zTXt', b'x\0\0' + bomb()))
    return data[:8] + b''.join(
        struct.pack('>I', len(x)) + k + x + struct.pack('>I', zlib.crc32(k + x))
        for k, x in chunks
    )


def mask_seeds() -> list[Files]:
    """A picture and its mask, of 8 bits, of 16, and with a palette."""
    mask = pixels(2)[..., 0] % CLASSES
    mask[:5] = 255
    coloured = Image.fromarray(mask, 'L')
    coloured.putpalette([x for k in range(256) for x in (k, 255 - k, 7)])
    palette = io.BytesIO()
    coloured.save(palette, 'PNG')
    masks = (
        encoded(mask, 'PNG'),
        encoded(mask.astype(np.uint16), 'PNG'),
        palette.getvalue(),
    )
    image = encoded(pixels(0), 'JPEG')
    return [{'mask.png': content, 'image.jpg': image} for content in masks]


def read_mask(folder: Path) -> Any:
    """Check a mask and load it, as a run does before it begins and then in it."""
    frame = dict(
        img_path=str(folder / 'image.jpg'), seg_map_path=str(folder / 'mask.png')
    )
    frame.update(reduce_zero_label=False, seg_fields=[])
    with DefaultScope.overwrite_default_scope('mmseg'):
        load = TRANSFORMS.build(dict(type='LoadAnnotations'))
    checked = CheckedLoading(load, Labels(CLASSES, 255))
    pair = look_at_pair(frame, checked)  # as tools/check_dataset.py
    try:
        frame['ori_shape'] = check_headers(frame)
        found = checked(frame)['gt_seg_map']
    except UserError:
        if not pair.fault and not pair.image.fault:
            return 'only the run refuses it', '', b''
        raise
    if pair.fault:
        return f'only tools/check_dataset.py says {pair.fault}', '', b''
    return found.shape, found.dtype.name, found.tobytes()


def judge_mask(expected: Any, found: Any, item: Input) -> str:
    """The same labels, or none: PNG has sums."""
    return '' if found == expected else f'another mask was read: {found[:2]}'


def judge_values(expected: Any, found: Any, item: Input) -> str:
    """With sums made right: labels of the right size, each a class or ignored."""
    if found[0] != (HEIGHT, WIDTH):
        return f'read as {found[:2]}'
    values = set(found[2])
    return '' if values <= {*range(CLASSES), 255} else f'has the values {values}'


def list_seeds() -> list[Files]:
    """Images with masks, one of which is to be mended, and a list of them."""
    mask = pixels(2)[..., 0] % CLASSES
    wrong = np.where(mask == 0, 9, mask).astype(np.uint8)
    image, files = encoded(pixels(0), 'JPEG'), {}
    for name, values in (('a', mask), ('b', wrong), ('city/c', mask)):
        files[f'data/images/{name}.jpg'] = image
        files[f'data/masks/{name}.png'] = encoded(values, 'PNG')
    # What a name may lead to that is neither image nor mask of the set.
    elsewhere = {'data/else/a.jpg': image, 'data/else/a.png': encoded(mask, 'PNG')}
    lists = (b'a\nb\ncity/c\n', b'city/c\nb')
    return [{'x.txt': names, **files, **elsewhere} for names in lists]


def led_out(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Let a line of a list lead to files that are elsewhere, or there by a detour."""
    lines = data.split(b'\n')
    ways = (b'../else/a', b'city/../../else/a', b'../masks/a', b'city/../a', b'./b')
    lines[chance.randrange(len(lines))] = chance.choice(ways)
    return b'\n'.join(lines)


def mend_list(folder: Path) -> Any:
    """Check the masks that a list names, as tools/check_dataset.py does; mend them.

    Returns:
        Names in the new list, and the values of each mask that was written.
    """
    data, out = folder / 'data', folder / OUT / 'x.txt'  # as what is said names
    listed = str(folder / 'x.txt')
    suffixes = '.jpg', '.png'
    one = folder_set(
        data / 'images', data / 'masks', Labels(CLASSES, 255), suffixes, listed
    )
    one.mend(one.inspect(jobs=1), out)
    values = {
        path.relative_to(out).as_posix(): {*np.unique(np.array(Image.open(path)))}
        for path in out.rglob('*.png')
    }
    return out.with_name('x.txt.txt').read_text().splitlines(), values


def judge_list(expected: Any, found: Any, item: Input) -> str:
    """Each name that was there, and a mask of it, with values that it may have."""
    names, values = found
    known = {name for name in item.files if name.startswith('data/masks/')}
    good = {f'{name}.png' for name in names} == values.keys()
    good = good and {f'data/masks/{name}' for name in values} <= known
    good = good and all(x <= {*range(CLASSES), 255} for x in values.values())
    return '' if good else f'copied {found}'


def film_seeds() -> list[Files]:
    """A short film."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = str(Path(name) / 'x.avi')
        writer = cv2.VideoWriter(
            path, cv2.VideoWriter_fourcc(*'MJPG'), 10, (WIDTH, HEIGHT)
        )
        for seed in range(6):
            writer.write(pixels(seed))
        writer.release()
        return [{'x.avi': Path(path).read_bytes()}]


def watch(folder: Path) -> Any:
    """Read a film as tools/predict.py does, 100 images of it at most."""
    (film,) = open_sources([str(folder / 'x.avi')])
    frames = [frame.image for frame, _ in zip(film, range(100))]
    return [(image.shape, image.dtype.name) for image in frames], film.total, film.rate


def judge_film(expected: Any, found: Any, item: Input) -> str:
    """Images of 8 bits, and numbers that can be used."""
    frames, total, rate = found
    good = all(len(x) == 3 and x[2] == 3 and k == 'uint8' for x, k in frames)
    good = good and 0 < rate < 1000 and (total is None or total > 0)
    return '' if good else f'read as {found}'


TARGETS = [
    Target('JPEG', jpeg_seeds, 'x.jpg', BYTES, predict_on, judge_image),
    Target('PNG', png_seeds, 'x.png', BYTES, predict_on, judge_png),
    Target('PNG, sums right', png_seeds, 'x.png', {'chunks': mended_sums}, predict_on,
           judge_image),
    Target('BMP, WebP, TIFF', other_seeds, 'x.bmp', BYTES, predict_on, judge_image),
    Target('film', film_seeds, 'x.avi', BYTES, watch, judge_film),
    Target('mask', mask_seeds, 'mask.png', BYTES, read_mask, judge_mask),
    Target('mask, sums right', mask_seeds, 'mask.png', {'chunks': mended_sums},
           read_mask, judge_values),
    Target('list of masks to mend', list_seeds, 'x.txt', {**TEXT, 'out': led_out},
           mend_list, judge_list),
    Target('image of a mask', mask_seeds, 'image.jpg', BYTES, read_mask, judge_mask),
]  # fmt: skip
