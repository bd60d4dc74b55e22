"""Writes a set of street scenes in the layout of Cityscapes."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.datasets.parallel import mapper
from litehrnet_mm.datasets.streets.classes import to_train_ids
from litehrnet_mm.datasets.streets.scene import render_street
from litehrnet_mm.visualization import write_image

SPLITS = ('train', 'val')
LEAST_SIDE, MOST_SIDE, MOST_PIXELS = 64, 2048, 2048 * 1024
MOST_IMAGES = 10**6
FRAME = 19
"""Cityscapes annotates frame 19 of every sequence; a scene is a sequence here."""

UNFINISHED = '.unfinished'


def make_streets(
    out: str | os.PathLike,
    images: int,
    seed: int = 0,
    *,
    split: str = 'train',
    size: tuple[int, int] = (256, 128),
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write a set of street scenes.

    ``out`` gets ``leftImg8bit/<split>/<city>/<city>_000000_000019_leftImg8bit.png``
    and so on, and the same below ``gtFine`` with ``_gtFine_labelIds.png`` and
    ``_gtFine_labelTrainIds.png``. The city is ``synthetic`` and the seed, so sets of
    several seeds can share a folder. A set appears when it is complete. The same seed
    gives the same bytes, and scene ``k`` does not depend on ``images`` or ``workers``.

    Args:
        out: Directory of the data set.
        images: Number of scenes.
        seed: Number of the set; use different ones for training and validation.
        split: ``train`` or ``val``.
        size: Width and height of an image in pixels, 64 to 2048 each, together at
            most those of Cityscapes, for which drawing takes 4 GB of memory.
        workers: Number of processes. With more than one, a script that calls this
            needs the guard ``if __name__ == '__main__'``.
        overwrite: Replace the set of this split and seed; others stay.
        progress: Show a progress bar.

    Returns:
        The folder of the images.

    Raises:
        UserError: A value is out of range, or the set is there already.
    """
    _check(images, seed, split, size, workers)
    out, city = Path(out), f'synthetic{seed}'
    parts = [Path(kind, split, city) for kind in ('leftImg8bit', 'gtFine')]
    unfinished = _prepare(out, parts, overwrite)
    render = partial(
        write_scene,
        image_folder=unfinished / parts[0],
        label_folder=unfinished / parts[1],
        seed=seed,
        size=size,
    )
    with mapper(workers) as run:
        for _ in progress_bar(run(render, range(images)), images, progress):
            pass
    for part in parts:
        shutil.rmtree(out / part, ignore_errors=True)
        (out / part).parent.mkdir(parents=True, exist_ok=True)
        os.replace(unfinished / part, out / part)
    shutil.rmtree(unfinished)
    return out / parts[0]


def write_scene(
    index: int, image_folder: Path, label_folder: Path, seed: int, size
) -> None:
    """Write the image and both label maps of one scene."""
    image, label_ids = render_street(seed, index, size)
    name = f'synthetic{seed}_{index:06d}_{FRAME:06d}'
    write_image(image_folder / f'{name}_leftImg8bit.png', image)
    write_image(label_folder / f'{name}_gtFine_labelIds.png', label_ids)
    train_ids = to_train_ids(label_ids)
    write_image(label_folder / f'{name}_gtFine_labelTrainIds.png', train_ids)


def _check(images: int, seed: int, split: str, size, workers: int) -> None:
    for wrong, message in (
        (
            not 1 <= images <= MOST_IMAGES,
            f'images must be 1 to {MOST_IMAGES}, not {images}',
        ),
        (seed < 0, f'seed must not be negative, not {seed}'),
        (split not in SPLITS, f'split must be train or val, not {split}'),
        (
            not LEAST_SIDE <= min(size) <= max(size) <= MOST_SIDE,
            f'width and height must be {LEAST_SIDE} to {MOST_SIDE}, not {size}',
        ),
        (
            size[0] * size[1] > MOST_PIXELS,
            f'an image can have {MOST_PIXELS} pixels (2048 x 1024), not {size}',
        ),
        (workers < 1, f'workers must be at least 1, not {workers}'),
    ):
        if wrong:
            raise UserError(message)


def _prepare(out: Path, parts: list[Path], overwrite: bool) -> Path:
    """Make the folders to write into, which are moved when all is there."""
    if out.exists() and not out.is_dir():
        raise UserError(f'{out} is a file: name a directory')
    for part in parts:
        if (out / part).exists() and not overwrite:
            raise UserError(
                f'{out / part} exists: choose another seed or directory, or give '
                '--overwrite to replace the set in it'
            )
    unfinished = out / UNFINISHED
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in parts:
            (unfinished / part).mkdir(parents=True)
    except OSError as error:
        raise UserError(f'cannot write to {out}: {error.strerror}') from error
    return unfinished
