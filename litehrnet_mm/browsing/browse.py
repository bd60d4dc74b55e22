"""Going through the samples of a split, and writing what there is to see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from litehrnet_mm.browsing.masks import MaskViews
from litehrnet_mm.browsing.poses import PoseViews
from litehrnet_mm.browsing.samples import Sample, choose, open_split, read_samples
from litehrnet_mm.browsing.views import (
    LARGE,
    SHEET_SAMPLES,
    SMALL,
    ContactSheets,
    Views,
    draw_sample,
    picture_name,
    with_key,
)
from litehrnet_mm.cli import make_folder, progress_bar
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.options import is_segmentation
from litehrnet_mm.visualization import write_image
from litehrnet_mm.visualization.windows import show_picture

PICTURES = 'samples'
"""Folder of the single pictures, within that of the results."""


@dataclass(frozen=True)
class Wanted:
    """What a user wants to see.

    Attributes:
        split: ``'train'``, ``'val'`` or ``'test'``.
        stage: One of :data:`~.views.STAGES`.
        number: Of samples.
        shuffle: Random samples, not the first.
        seed: For that, and for augmentation.
        columns: Samples side by side on a sheet; as many as fit if not given.
        out: Folder for the pictures, if they are to be kept.
        show: Whether to open a window.
    """

    split: str
    stage: str
    number: int
    shuffle: bool
    seed: int
    columns: int | None
    out: Path | None
    show: bool


def browse(cfg: Config, path: str, wanted: Wanted) -> str:
    """Draw samples of a data set; a line or two on what was drawn.

    Args:
        cfg: A config of pose or segmentation.
        path: Its file, for messages.
        wanted: What to draw, and where to.

    Raises:
        UserError: If there are no such data, or they or the folder cannot be used.
    """
    with data_errors(cfg):
        dataset = open_split(cfg, path, wanted.split)
        meta = dataset.metainfo
        views = MaskViews(meta) if is_segmentation(cfg) else PoseViews(meta)
        length = len(dataset)
        indices = choose(length, wanted.number, wanted.shuffle, wanted.seed)
        sheets = None
        if wanted.out:
            make_folder(wanted.out)
            make_folder(wanted.out / PICTURES)
            several = len(indices) > SHEET_SAMPLES
            sheets = ContactSheets(wanted.out, views, wanted.columns, several)
        samples = read_samples(dataset, indices, wanted.seed)
        samples = progress_bar(samples, len(indices), title='Drawing')
        try:
            drawn = _draw(samples, length, views, wanted, sheets)
        finally:  # what was drawn is kept, whatever happens
            if sheets is not None:
                sheets.write()
    line = f'{drawn} of {length} samples of {wanted.split}'
    if sheets is not None:
        names = ', '.join(str(sheet) for sheet in sheets.paths)
        line += f'\nin {names}, and one by one in {wanted.out / PICTURES}'
    return line


def _draw(
    samples: Iterable[Sample],
    length: int,
    views: Views,
    wanted: Wanted,
    sheets: ContactSheets | None,
) -> int:
    """Draw samples of a data set of this length; how many, until a user has enough."""
    drawn = 0
    for sample in samples:
        picture = with_key(draw_sample(views, sample, wanted.stage, LARGE), views)
        drawn += 1
        if sheets is not None:
            name = picture_name(sample, length)
            write_image(wanted.out / PICTURES / name, picture)
            sheets.add(draw_sample(views, sample, wanted.stage, SMALL))
        if wanted.show and not show_picture(picture, wait=True):
            break
    return drawn
