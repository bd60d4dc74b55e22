"""Mended copies of masks: what is no class is ignored, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.datasets.preparation.files import png
from litehrnet_mm.decoding import open_picture
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
        UserError: If nothing is left, a mask lies elsewhere than in its folder, or it
            cannot be written.
    """
    if not usable:
        raise UserError(f'nothing usable is left, so {out} is not written')
    names = [_name(built, frame) for frame, _ in usable]
    changed, pixels = 0, 0
    title = f'Writing masks ({out.name})'
    bar = progress_bar(zip(names, usable), len(usable), title=title)
    for name, (frame, fault) in bar:
        path = out / f'{name}{built.seg_map_suffix}'
        if not fault:
            write_whole(path, Path(frame['seg_map_path']).read_bytes())
            continue
        changed += 1
        pixels += _mend(frame, checked, path)
    listing = out.with_name(f'{out.name}.txt')
    write_whole(listing, ''.join(f'{name}\n' for name in names).encode())
    return [
        f'{out}: {len(names)} masks, listed in {listing} (seg_map_path and ann_file)',
        f'    {changed} masks with {pixels} pixels that are ignored now',
    ]


def _name(built: Any, frame: Mapping[str, Any]) -> str:
    """What a list calls a mask and its image: their paths within their folders.

    Raises:
        UserError: If a list cannot have it, or it would not lead there.
    """
    mask, folders = Path(frame['seg_map_path']), built.data_prefix
    inner = mask.parts[len(Path(folders['seg_map_path']).parts) :]
    name = '/'.join(inner).removesuffix(built.seg_map_suffix)
    places = (
        Path(folders['seg_map_path'], f'{name}{built.seg_map_suffix}'),
        Path(folders['img_path'], f'{name}{built.img_suffix}'),
    )
    if '..' in inner or places != (mask, Path(frame['img_path'])):
        raise UserError(
            f'no copy of {mask} can be written: it, or its image, does not lie in the '
            'folder that the list of names is about; name those that do'
        )
    if name.strip() != name or not name.isprintable():
        raise UserError(f'a list of names cannot have that of {mask}: rename it')
    return name


def _mend(frame: Mapping[str, Any], checked: CheckedLoading, path: Path) -> int:
    """Write a mask with what is no class ignored; the number of such pixels.

    What a stored value becomes is for MMSegmentation to say, which may count classes
    from 1, or leave some out. So it is asked, by a first copy.
    """
    with open_picture(frame['seg_map_path']) as image:
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
