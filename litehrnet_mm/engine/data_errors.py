"""Errors of loaders about a user's images and annotations, as one line each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.error import URLError

from mmengine.config import Config

from litehrnet_mm.checking.coco_file import read_coco, read_json
from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.checking.keypoints import Keypoints
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.keypoint_check import declared_keypoints
from litehrnet_mm.engine.preflight import named_paths

# MMPose: "`reason` occurs when loading `file`."
POSE_IMAGE = re.compile(r'`([^`]*)` occurs when loading `([^`]*)`')
# MMSegmentation's loader, through mmcv: an assertion, or the system's own words.
SEG_IMAGE = re.compile(r'failed to load image: (\S+)')
# Python, where a class is built from a config; 3.9 does not name the class.
UNKNOWN_SETTING = re.compile(
    r"(?:(\w+)\.)?__init__\(\) got an unexpected keyword argument '(\w+)'"
)
# MMEngine, for a class that nobody has registered.
UNKNOWN_TYPE = re.compile(r'(\w+) is not in the (\S+) registry')
# What readers of annotations raise when they do not find what they look for.
FORMAT_ERRORS = (AssertionError, AttributeError, IndexError, KeyError, TypeError)
FORMAT_ERRORS += (OverflowError, RecursionError, ValueError)
# MMEngine, through NumPy, for a data set without a sample.
NOTHING_LEFT = 'need at least one array to concatenate'
# Ours, where a file is none; a number before and the path behind are the system's form.
NO_FILE = re.compile(r"\] (it is [^:]+): '([^']*)'")
NO_SUCH_FILE = re.compile(r"No such file or directory: '([^']*)'")


@contextmanager
def data_errors(cfg: Config) -> Iterator[None]:
    """Turn a loader's error about a user's image or annotations into one line.

    Args:
        cfg: The config of the run.

    Raises:
        UserError: In place of an error that names a file of the data set. All other
            errors pass as they are.
    """
    try:
        yield
    except UserError as error:
        # From a data loader's worker it comes with that one's traceback.
        raise UserError(str(error).strip().rsplit('UserError: ')[-1]) from error
    except Exception as error:  # of any kind: decoders and loaders have their own
        line = (
            _describe_download(error)
            or _describe_setting(error)
            or _describe_data_error(cfg, error)
        )
        if line is None:
            raise
        raise UserError(line) from error


def _describe_download(error: Exception) -> str | None:
    if isinstance(error, UnpicklingError):
        return (
            'weights that were fetched are refused: they hold more than tensors and '
            'plain values, which could run code; get them from a source you trust'
        )
    if not isinstance(error, URLError):
        return None
    return (
        f'weights to start from could not be fetched: {error.reason}; '
        'model.backbone.init_cfg=None by --cfg-options starts without them'
    )


def _describe_setting(error: Exception) -> str | None:
    """A class that there is not, or a setting that a class does not have."""
    unknown = UNKNOWN_TYPE.search(str(error))
    if isinstance(error, KeyError) and unknown:
        return (
            f'{unknown[1]} is not in the {unknown[2]} registry: mistyped in the config?'
        )
    found = UNKNOWN_SETTING.search(str(error))
    if not isinstance(error, TypeError) or not found:
        return None
    kind = found[1] or 'a class'
    return f'{kind} has no setting {found[2]!r}: mistyped in the config?'


def _describe_data_error(cfg: Config, error: Exception) -> str | None:
    # Errors of a data loader's worker carry a traceback before the message.
    text = str(error)
    paths = [
        (key, path)
        for split in ('train', 'val', 'test')
        for _, key, path in named_paths(cfg.get(f'{split}_dataloader'), '')
    ]
    missing, pose, seg = (p.search(text) for p in (NO_SUCH_FILE, POSE_IMAGE, SEG_IMAGE))
    folders = [path.resolve() for key, path in paths if key == 'folder']
    if missing and any(x in Path(missing[1]).resolve().parents for x in folders):
        return f'image not found: {missing[1]}'
    if pose:
        return f'image cannot be read: {pose[2]} ({" ".join(pose[1].split())})'
    if seg:
        return f'image cannot be read: {seg[1]}'
    other = NO_FILE.search(text)
    if other:
        return f'{other[2]} cannot be read: {other[1]}'
    if not isinstance(error, FORMAT_ERRORS):
        return None
    files = [(k, p) for k, p in paths if p.suffix == '.json' and p.is_file()]
    annotations = [path for key, path in files if key == 'ann_file']
    boxes = [path for key, path in files if key == 'bbox_file']
    # Where there are boxes, they are who is looked at, not the annotations.
    faults = [_boxes_fault(path, annotations) for path in boxes]
    if boxes and NOTHING_LEFT in text:
        faults.append(
            f'no box is left of {boxes[0]}: is filter_cfg too strict, or is no '
            'category_id 1?'
        )
    faults += [_annotation_fault(x, declared_keypoints(cfg, x)) for x in annotations]
    return next(filter(None, faults), None)


def _boxes_fault(path: Path, annotations: list[Path]) -> str | None:
    """What keeps a file of detected boxes from being used, if anything does."""
    wrong = f'file of detected boxes {path}'
    try:
        boxes = read_json(path)
        images = {x['id'] for a in annotations for x in read_coco(a)['images']}
    except UserError as error:
        return str(error)
    except (KeyError, TypeError):
        return None  # said of the annotations
    if not isinstance(boxes, list):
        return f"{wrong} is no list of COCO's detections"
    if not boxes:
        return f'{wrong} is empty'
    for number, box in enumerate(boxes):
        if not isinstance(box, dict) or not {'image_id', 'bbox', 'score'} <= set(box):
            return f'{wrong}: entry {number} has no image_id, bbox or score'
        if annotations and box['image_id'] not in images:
            return (
                f'{wrong}: entry {number} is of image {box["image_id"]}, which '
                f'{annotations[0]} does not have'
            )
    return None


def _annotation_fault(path: Path, keypoints: Keypoints | None) -> str | None:
    """What keeps a COCO annotation file from being used, if anything does."""
    try:
        content = read_coco(path)
        for key in ('images', 'categories', 'annotations'):
            if key in content and not content[key]:
                return f"annotation file {path}: its '{key}' is empty"
        check_entries(path, content, keypoints)
    except UserError as error:
        return str(error)
    persons = content.get('annotations')
    if persons is not None and not any(map(_is_person, persons)):
        return (
            f'annotation file {path} has no person to look at: each is crowd, or has '
            'no box or no labelled keypoint'
        )
    return None


def _is_person(annotation: Any) -> bool:
    """Whether MMPose takes an annotation for a person to train or evaluate on."""
    if not isinstance(annotation, dict) or annotation.get('iscrowd'):
        return False
    counted = annotation.get('num_keypoints', 1)
    return bool(counted and annotation.get('bbox') and annotation.get('keypoints'))
