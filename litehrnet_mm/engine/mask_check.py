"""Whether the masks of a segmentation data set fit its images and its classes.

MMSegmentation takes them on trust, and a slip ends in an error far away: a label that
is no class in an index out of range, on a GPU in a failed assertion of a kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import DATASETS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner
from PIL import Image, UnidentifiedImageError

from litehrnet_mm.cli import UserError, one_line, progress_bar
from litehrnet_mm.engine.options import is_segmentation

READ_AHEAD = 500_000_000
"""Pixels of masks that are read before a run; the others are checked as they come."""

TURNED = (5, 6, 7, 8)  # values of EXIF's orientation with width and height exchanged
EXIF_ORIENTATION = 0x0112
COLOUR_MODES = ('RGB', 'RGBA', 'LA', 'CMYK', 'YCbCr')


@dataclass(frozen=True)
class Labels:
    """Which values a mask may have once it is loaded.

    Attributes:
        classes: Number of classes, numbered from 0.
        ignored: The value of pixels that do not count.
    """

    classes: int
    ignored: int

    def fault(self, mask: np.ndarray) -> str | None:
        """What is wrong with the values of a mask, if anything is."""
        wrong = (mask >= self.classes) & (mask != self.ignored)
        if not wrong.any():
            return None
        values = [str(value) for value in np.unique(mask[wrong])]
        more = f' and {len(values) - 5} more' if len(values) > 5 else ''
        return (
            f'has the value {", ".join(values[:5])}{more}: no class (0 to '
            f'{self.classes - 1}) and not {self.ignored} (ignored)'
        )


class CheckedLoading:
    """MMSegmentation's loading of a mask, with faults named.

    Args:
        load: The transform that loads.
        labels: What it should find.
    """

    def __init__(self, load: Callable[[dict], dict], labels: Labels) -> None:
        self.load = load
        self.labels = labels

    def __call__(self, results: dict) -> dict:
        """Load, and check size and values.

        Raises:
            UserError: If the mask cannot be read, or does not fit.
        """
        path = results['seg_map_path']
        try:
            results = self.load(results)
        except FileNotFoundError as error:
            raise UserError(_not_found(path, results['img_path'])) from error
        except Exception as error:  # decoders have their own
            raise UserError(
                f'mask cannot be read: {path} ({one_line(error)})'
            ) from error
        mask, size = results['gt_seg_map'], tuple(results['ori_shape'][:2])
        if mask.ndim != 2:
            raise UserError(_is_colour(path))
        if mask.shape != size:
            raise UserError(_differs(path, mask.shape, results['img_path'], size))
        fault = self.labels.fault(mask)
        if fault:
            raise UserError(f'mask {path} {fault}')
        return results


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
        labels[split] = _labels(cfg, split)
        loader = cfg.get(f'{split}_dataloader') or {}
        for dataset in _datasets(loader.get('dataset')):
            load = _find_loading(dataset.get('pipeline'))
            if load is not None and not dataset.get('test_mode'):
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
            setattr(runner, name, _watched(getattr(runner, name), wanted))


def _watched(node: Any, labels: Labels) -> Any:
    """A part of a config with its loading of masks replaced by checked loading."""
    if _is_loading(node):
        return CheckedLoading(TRANSFORMS.build(dict(node)), labels)
    if isinstance(node, dict):
        return type(node)({k: _watched(value, labels) for k, value in node.items()})
    if isinstance(node, (list, tuple)):
        return type(node)(_watched(item, labels) for item in node)
    return node


def _is_loading(node: Any) -> bool:
    return isinstance(node, dict) and str(node.get('type')).endswith('LoadAnnotations')


def _labels(cfg: Config, split: str) -> Labels:
    model = cfg.model.get('module', cfg.model)  # within test-time augmentation
    heads = model.get('decode_head', {})
    head = heads[-1] if isinstance(heads, (list, tuple)) else heads
    ignored = head.get('ignore_index', 255)
    if split != 'train':
        metrics = cfg.get(f'{split}_evaluator') or {}
        metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
        ignored = next((x['ignore_index'] for x in metrics if 'ignore_index' in x), 255)
    return Labels(head.get('num_classes', 256), ignored)


def _datasets(node: Any) -> Iterator[dict]:
    """Data sets that have files, however nested."""
    if not isinstance(node, Mapping):
        return
    inner = [x for x in (node.get('dataset'), *(node.get('datasets') or ())) if x]
    for child in inner:
        yield from _datasets(child)
    if not inner:
        yield dict(node)


def _find_loading(node: Any) -> dict | None:
    """The transform of a pipeline that loads masks, perhaps within another."""
    if _is_loading(node):
        return dict(node)
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        return next((x for x in map(_find_loading, node) if x is not None), None)
    return None


def _frames(dataset: dict) -> list[dict]:
    """What MMSegmentation knows of each image of a data set."""
    info = dataset.get('metainfo') or {}
    classes, palette = info.get('classes'), info.get('palette')
    if classes and palette and len(classes) != len(palette):
        raise UserError(
            f'metainfo of the data set has {len(classes)} classes and {len(palette)} '
            'colours (palette): give a colour for each class'
        )
    built = DATASETS.build(dict(dataset, pipeline=[], serialize_data=False))
    if not len(built):
        folder = built.data_prefix.get('img_path', built.data_root)
        suffix = getattr(built, 'img_suffix', '')
        raise UserError(
            f'no images *{suffix} in {folder} (img_suffix of the data set says how '
            'their names end)'
        )
    return [built.get_data_info(index) for index in range(len(built))]


def _check_frames(frames: list[dict], checked: CheckedLoading, split: str) -> None:
    """Check files and sizes of all frames, and values of as many as may be read."""
    lacking = [x for x in frames if not Path(x['seg_map_path']).is_file()]
    if lacking:
        first = _not_found(lacking[0]['seg_map_path'], lacking[0]['img_path'])
        more = f' (and {len(lacking) - 1} more)' if len(lacking) > 1 else ''
        raise UserError(first + more)
    pixels = 0
    for frame in frames:
        frame['ori_shape'] = _check_headers(frame)
        pixels += frame['ori_shape'][0] * frame['ori_shape'][1]
    step = -(-pixels // READ_AHEAD)
    chosen = frames[::step]
    many = pixels > READ_AHEAD / 10 and is_main_process()
    title = f'Checking masks ({split})'
    for frame in progress_bar(chosen, len(chosen), show=many, title=title):
        checked(frame)


def _check_headers(frame: dict) -> tuple[int, int]:
    """Height and width that an image and its mask both have."""
    (size, _), (mask_size, mode) = (
        _read_header(frame['img_path'], 'image'),
        _read_header(frame['seg_map_path'], 'mask'),
    )
    if mode in COLOUR_MODES:
        raise UserError(_is_colour(frame['seg_map_path']))
    if mode.startswith('I'):
        _check_deep(frame['seg_map_path'])
    if size != mask_size:
        raise UserError(
            _differs(frame['seg_map_path'], mask_size, frame['img_path'], size)
        )
    return size


def _read_header(path: str, kind: str) -> tuple[tuple[int, int], str]:
    """Height and width, and Pillow's mode, without decoding pixels."""
    try:
        with Image.open(path) as image:
            # Asking a PNG for EXIF decodes it; cameras write JPEG.
            exif = image.getexif() if image.format == 'JPEG' else {}
            turned = exif.get(EXIF_ORIENTATION) in TURNED
            width, height = image.size[::-1] if turned else image.size
            return (height, width), image.mode
    except UnidentifiedImageError as error:
        raise UserError(f'{kind} cannot be read: {path} (no image format)') from error
    except FileNotFoundError as error:
        raise UserError(f'{kind} not found: {path}') from error
    except OSError as error:
        why = error.strerror or one_line(error)
        raise UserError(f'{kind} cannot be read: {path} ({why})') from error


def _check_deep(path: str) -> None:
    """Check a mask of more than 8 bits, of which MMSegmentation keeps the lowest 8."""
    with Image.open(path) as image:
        highest = int(np.asarray(image).max())
    if highest > 255:
        raise UserError(
            f'mask {path} has the value {highest}, and MMSegmentation reads 8 bits: '
            'up to 255'
        )


def _not_found(mask: str, image: str) -> str:
    hint = ''
    if mask.endswith('_gtFine_labelTrainIds.png'):
        hint = '; tools/prepare_cityscapes.py makes it'
    return f'mask not found: {mask}, of the image {image}{hint}'


def _is_colour(mask: str) -> str:
    return (
        f'mask {mask} is a colour picture; a mask has one channel, with the number of '
        'the class in each pixel'
    )


def _differs(mask: str, size: Sequence[int], image: str, wanted: Sequence[int]) -> str:
    return (
        f'mask {mask} is {size[1]}x{size[0]} pixels, but its image {image} '
        f'{wanted[1]}x{wanted[0]} (width x height)'
    )
