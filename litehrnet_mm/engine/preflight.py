"""Checks before a run starts: what a user gave wrong is said in one line, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from litehrnet_mm.checkpoints.files import is_local
from litehrnet_mm.cli import UserError

# Only ann_file is relative to data_root; MMPose takes the others as they are.
FILES = {
    'ann_file': 'annotation file',
    'bbox_file': 'file of detected boxes',
    'headbox_file': 'file of head boxes',
}


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
