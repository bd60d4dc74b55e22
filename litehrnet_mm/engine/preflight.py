"""Checks before a run starts: what a user gave wrong is said in one line, at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from mmengine.config import Config

from litehrnet_mm.checking.coco_file import read_coco
from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.checkpoints.files import is_local
from litehrnet_mm.cli import UserError

# Only ann_file is relative to data_root; MMPose takes the others as they are.
FILES = {
    'ann_file': 'annotation file',
    'bbox_file': 'file of detected boxes',
    'headbox_file': 'file of head boxes',
}

# MMPose: "`reason` occurs when loading `file`."
POSE_IMAGE = re.compile(r'`([^`]*)` occurs when loading `([^`]*)`')
# MMSegmentation's loader, through mmcv: an assertion, or the system's own words.
SEG_IMAGE = re.compile(r'failed to load image: (\S+)')
# Python, where a class is built from a config.
UNKNOWN_SETTING = re.compile(
    r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'"
)
# MMEngine, for a class that nobody has registered.
UNKNOWN_TYPE = re.compile(r'(\w+) is not in the (\S+) registry')
# What readers of annotations raise when they do not find what they look for.
FORMAT_ERRORS = (AssertionError, AttributeError, IndexError, KeyError, TypeError)
FORMAT_ERRORS += (OverflowError, RecursionError, ValueError)
NO_SUCH_FILE = re.compile(r"No such file or directory: '([^']*)'")


def check_data(
    cfg: Config,
    splits: tuple[str, ...],
    parts: tuple[str, ...] = ('dataloader', 'evaluator'),
) -> None:
    """Check that annotation files and image folders of a run exist.

    Args:
        cfg: The whole config.
        splits: Which of ``'train'``, ``'val'``, ``'test'`` will run.
        parts: What of them is used.

    Raises:
        UserError: For the first file or folder that is missing.
    """
    roots = _roots(cfg)
    for split in splits:
        for part in (f'{split}_{name}' for name in parts):
            if cfg.get(part) is not None:
                for where, key, path in named_paths(cfg[part], part):
                    _check_path(where, key, path, roots)


def named_paths(node: Any, where: str) -> Iterator[tuple[str, str, Path]]:
    """Paths that data sets and metrics name, however nested.

    Args:
        node: A part of a config.
        where: Its place in the config, to begin the places of the paths with.

    Yields:
        Place in the config, ``'folder'`` or a key of ``FILES``, and path.
    """
    if isinstance(node, (list, tuple)):
        for index, item in enumerate(node):
            yield from named_paths(item, f'{where}.{index}')
    if not isinstance(node, dict):
        return
    # What MMEngine fetches by a scheme is not for us to check; Path would spoil it.
    remote = not is_local(node.get('data_root') or '')
    root = Path(node.get('data_root') or '')
    for key in FILES:
        name = node.get(key)
        if isinstance(name, str) and name and is_local(name):
            if remote and key == 'ann_file':
                continue
            base = root if key == 'ann_file' else Path()
            yield f'{where}.{key}', key, base / name
    prefix = node.get('data_prefix')
    for key, folder in prefix.items() if isinstance(prefix, dict) else ():
        named = isinstance(folder, str) and folder
        if named and is_local(folder) and not remote:
            yield f'{where}.data_prefix.{key}', 'folder', root / folder
    for key, child in node.items():
        if key not in ('pipeline', 'data_prefix'):
            yield from named_paths(child, f'{where}.{key}')


def _roots(cfg: Config) -> dict[str, Path]:
    """Folders of data sets by the environment variables that name them.

    In the configs of this project ``coco_root`` is what ``COCO_ROOT`` sets, and so on.
    """
    names = [key for key in cfg if key.endswith('_root') and key != 'data_root']
    return {key.upper(): Path(cfg[key]) for key in names}


def _check_path(where: str, key: str, path: Path, roots: dict[str, Path]) -> None:
    if path.is_dir() if key == 'folder' else path.is_file():
        return
    variables = [name for name, root in roots.items() if root in (path, *path.parents)]
    ways = [f'the environment variable {name}' for name in variables]
    ways.append(f'{where} by --cfg-options')
    if key == 'bbox_file':
        ways.append(f'{where}=None for ground-truth boxes')
    kind = FILES.get(key)
    if kind is None:
        kind = 'folder of masks' if where.endswith('seg_map_path') else 'image folder'
    raise UserError(f'{kind} not found: {path} (set {", or ".join(ways)})')


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
    return f'{found[1]} has no setting {found[2]!r}: mistyped in the config?'


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
    if not isinstance(error, FORMAT_ERRORS):
        return None
    for key, path in paths:
        if key == 'ann_file' and path.suffix == '.json' and path.is_file():
            fault = _annotation_fault(path)
            if fault:
                return fault
    return None


def _annotation_fault(path: Path) -> str | None:
    """What keeps a COCO annotation file from being used, if anything does."""
    try:
        content = read_coco(path)
        for key in ('images', 'categories', 'annotations'):
            if key in content and not content[key]:
                return f"annotation file {path}: its '{key}' is empty"
        check_entries(path, content)
    except UserError as error:
        return str(error)
    return None
