"""Reading a config, with what a user mistyped said in one line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from litehrnet_mm.cli import UserError, one_line


def load_config(path: str, options: dict[str, Any]) -> Config:
    """Read a config and merge ``--cfg-options`` into it.

    Raises:
        UserError: If there is no such file, or it or one of its bases cannot be
            read, or an option does not fit.
    """
    if not Path(path).is_file():
        raise UserError(f'config not found: {path}{_suggest_config(path)}')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        raise UserError(f'config {path} cannot be read: {one_line(error)}') from error
    for key in options:
        if not _has_key(cfg, key):
            print(f'warning: {path}: {_describe_new(cfg, key)}', file=sys.stderr)
    try:
        cfg.merge_from_dict(options)
    except Exception as error:
        raise UserError(f'--cfg-options do not fit {path}: {error}') from error
    return cfg


def _suggest_config(path: str) -> str:
    candidates = [str(p) for p in Path('configs').rglob('*.py')]
    close = difflib.get_close_matches(path, candidates, n=1)
    return f' (did you mean {close[0]}?)' if close else ''


def _describe_new(cfg: Config, key: str) -> str:
    """What to say of an option that the config does not have: new, or mistyped."""
    known = _dotted_keys(cfg._cfg_dict)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    hint = f' (did you mean {close[0]}?)' if close else ''
    return f'--cfg-options {key} is new: the config has no such setting so far{hint}'


def _dotted_keys(node: Any, prefix: str = '') -> list[str]:
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, (list, tuple)):
        items = enumerate(node)
    else:
        return []
    keys = []
    for name, child in items:
        key = f'{prefix}{name}'
        keys += [key, *_dotted_keys(child, f'{key}.')]
    return keys


def _has_key(cfg: Any, dotted: str) -> bool:
    for part in dotted.split('.'):
        if isinstance(cfg, (list, tuple)) and part.isdigit() and int(part) < len(cfg):
            cfg = cfg[int(part)]
        elif isinstance(cfg, (Config, ConfigDict)) and part in cfg:
            cfg = cfg[part]
        else:
            return False
    return True


def data_sets(node: Any) -> Iterator[Mapping[str, Any]]:
    """A data set of a config, and those that it is made of, however nested."""
    if isinstance(node, Mapping):
        yield node
        for child in (node.get('dataset'), *(node.get('datasets') or ())):
            yield from data_sets(child)


def last_decode_head(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The head of MMSegmentation that predicts: the last, where there are several."""
    heads = model.get('decode_head', {})
    return heads[-1] if isinstance(heads, (list, tuple)) else heads
