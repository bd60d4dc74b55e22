"""Mended copies of masks: what is no class is ignored, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.datasets.preparation.files import png
from litehrnet_mm.decoding import FORMATS
from litehrnet_mm.engine.mask_loading import CheckedLoading
from litehrnet_mm.files import write_whole


def mend_masks(
    built: Any,
    usable: Sequence[tuple[Mapping[str, Any], str]],
    checked: CheckedLoading,
    out: Path,
) -> list[str]:
    """Write masks that can be used, and a list of them.

    Args:
        built: MMSegmentation's data set.
        usable: Its facts of each image that can be used, and the fault of its mask.
        checked: Loads masks.
        out: Folder of masks; the list is beside it, with ``.txt`` in its name.

    Returns:
        What was written and changed, line by line.

    Raises:
        UserError: If nothing is left, or it cannot be written.
    """
    if not usable:
        raise UserError(f'nothing usable is left, so {out} is not written')
    folder, suffix = Path(built.data_prefix['seg_map_path']), built.seg_map_suffix
    names, changed, pixels = [], 0, 0
    bar = progress_bar(usable, len(usable), title=f'Writing masks ({out.name})')
    for frame, fault in bar:
        source = Path(frame['seg_map_path'])
        name = source.relative_to(folder).as_posix()
        names.append(name.removesuffix(suffix))
        if not fault:
            write_whole(out / name, source.read_bytes())
            continue
        changed += 1
        pixels += _mend(frame, checked, out / name)
    listing = out.with_name(f'{out.name}.txt')
    write_whole(listing, ''.join(f'{name}\n' for name in names).encode())
    return [
        f'{out}: {len(names)} masks, listed in {listing} (seg_map_path and ann_file)',
        f'    {changed} masks with {pixels} pixels that are ignored now',
    ]


def _mend(frame: Mapping[str, Any], checked: CheckedLoading, path: Path) -> int:
    """Write a mask with what is no class ignored; the number of such pixels.

    What a stored value becomes is for MMSegmentation to say, which may count classes
    from 1, or leave some out. So it is asked, by a first copy.
    """
    with Image.open(frame['seg_map_path'], formats=FORMATS) as image:
        stored = np.array(image)
    ignored = 0 if frame['reduce_zero_label'] else checked.labels.ignored
    deep = (stored < 0) | (stored > 255)
    mask = np.where(deep, ignored, stored).astype(np.uint8)
    write_whole(path, png(mask))
    loaded = checked.read(dict(frame, seg_map_path=str(path), ori_shape=mask.shape))
    wrong = checked.labels.wrong(loaded['gt_seg_map'])
    mask[wrong] = ignored
    write_whole(path, png(mask))
    return int((deep | wrong).sum())
