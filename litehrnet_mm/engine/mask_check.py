"""Whether the masks of a segmentation data set fit its images and its classes.

MMSegmentation takes them on trust, and a slip ends in an error far away: a label that
is no class in an index out of range, on a GPU in a failed assertion of a kernel.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import DATASETS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner

from litehrnet_mm.cli import UserError, progress_bar
from litehrnet_mm.engine.config_file import data_sets, last_decode_head
from litehrnet_mm.engine.mask_files import check_headers, check_list, not_found_fault
from litehrnet_mm.engine.mask_loading import (
    CheckedLoading,
    Labels,
    find_loading,
    with_checked_loading,
)
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.engine.options import is_segmentation

READ_AHEAD = 500_000_000
"""Pixels of masks that are read before a run; the others are checked as they come."""


def check_masks(cfg: Config, splits: Sequence[str]) -> dict[str, Labels]:
    """Check the masks that a segmentation run will use, as far as it can be known.

    Every mask must exist and have the size of its image. Values are read for up to
    500 M pixels, spread over the set; :func:`watch_masks` has all others checked as
    they are loaded.

    Args:
        cfg: The whole config.
        splits: Which of ``'train'``, ``'val'``, ``'test'`` will run.

    Returns:
        By split, the values that masks may have; nothing for a config of pose.

    Raises:
        UserError: For the first image or mask that is at fault.
    """
    labels: dict[str, Labels] = {}
    for split in splits if is_segmentation(cfg) else ():
        labels[split] = labels_of(cfg, split)
        loader = cfg.get(f'{split}_dataloader') or {}
        for dataset in data_sets(loader.get('dataset')):
            load = find_loading(dataset.get('pipeline'))
            has_files = not {'dataset', 'datasets'} & set(dataset)
            if has_files and load is not None and not dataset.get('test_mode'):
                with DefaultScope.overwrite_default_scope('mmseg'):
                    frames = _frames(dataset)
                    checked = CheckedLoading(TRANSFORMS.build(load), labels[split])
                _check_frames(frames, checked, split)
    return labels


def watch_masks(runner: Runner, labels: Mapping[str, Labels]) -> None:
    """Let every mask be checked as it is loaded.

    Args:
        runner: One that has not built its data loaders; its config is left as it is.
        labels: What :func:`check_masks` returned.
    """
    for split, wanted in labels.items():
        name = f'_{split}_dataloader'
        with DefaultScope.overwrite_default_scope('mmseg'):
            setattr(runner, name, with_checked_loading(getattr(runner, name), wanted))


def labels_of(cfg: Config, split: str) -> Labels:
    """The values that masks of a split may have, by network and metrics."""
    model = cfg.model.get('module', cfg.model)  # within test-time augmentation
    head = last_decode_head(model)
    ignored = head.get('ignore_index', 255)
    if split != 'train':
        metrics = cfg.get(f'{split}_evaluator') or {}
        metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
        ignored = next((x['ignore_index'] for x in metrics if 'ignore_index' in x), 255)
    return Labels(head.get('num_classes', 256), ignored)


def build_dataset(dataset: Mapping[str, Any]) -> Any:
    """Build a data set of MMSegmentation that reads nothing but lists its images.

    Raises:
        UserError: If it has not a colour for each class, or its list of names cannot
            be read.
    """
    info = dataset.get('metainfo') or {}
    classes, palette = info.get('classes'), info.get('palette')
    if classes and palette and len(classes) != len(palette):
        raise UserError(
            f'metainfo of the data set has {len(classes)} classes and {len(palette)} '
            'colours (palette): give a colour for each class'
        )
    try:
        return DATASETS.build(dict(dataset, pipeline=[], serialize_data=False))
    except UnicodeDecodeError:
        check_list(dataset)
        raise


def frames_of(built: Any) -> list[dict]:
    """What MMSegmentation knows of each image of a data set.

    Raises:
        UserError: If there are none.
    """
    check_has_images(built)
    return [built.get_data_info(index) for index in range(len(built))]


def check_has_images(built: Any) -> None:
    """Refuse an empty data set of MMSegmentation.

    Raises:
        UserError: If it is one.
    """
    if not len(built):
        folder = built.data_prefix.get('img_path', built.data_root)
        suffix = getattr(built, 'img_suffix', '')
        raise UserError(
            f'no images *{suffix} in {folder} (img_suffix of the data set says how '
            'their names end; for configs/seg/custom set IMAGE_SUFFIX)',
            'empty',
        )


def lone_masks(built: Any, frames: list[dict]) -> list[Path]:
    """Masks that have no image, of which MMSegmentation, listing images, knows nothing.

    Where the data set is a list, or a part of the images, there are none to speak of.
    """
    if built.ann_file or built._indices is not None:
        return []
    folder = Path(built.data_prefix.get('seg_map_path') or '.')
    used = {Path(frame['seg_map_path']) for frame in frames}
    return sorted(set(folder.rglob(f'*{built.seg_map_suffix}')) - used)


def _frames(dataset: Mapping[str, Any]) -> list[dict]:
    built = build_dataset(dataset)
    frames = frames_of(built)
    lone = lone_masks(built, frames)
    if lone:
        warn(
            f'{len(lone)} masks have no image *{built.img_suffix} and are not used, '
            f'the first is {lone[0]}'
        )
    return frames


def _check_frames(frames: list[dict], checked: CheckedLoading, split: str) -> None:
    """Check files and sizes of all frames, and values of as many as may be read."""
    lacking = [x for x in frames if not os.path.isfile(x['seg_map_path'])]
    if lacking:
        more = f' (and {len(lacking) - 1} more)' if len(lacking) > 1 else ''
        first = lacking[0]
        raise not_found_fault(first['seg_map_path'], first['img_path'], more)
    pixels = 0
    for frame in frames:
        frame['ori_shape'] = check_headers(frame)
        pixels += frame['ori_shape'][0] * frame['ori_shape'][1]
    step = -(-pixels // READ_AHEAD)
    chosen = frames[::step]
    many = pixels > READ_AHEAD / 10 and is_main_process()
    title = f'Checking masks ({split})'
    for frame in progress_bar(chosen, len(chosen), show=many, title=title):
        checked(frame)
