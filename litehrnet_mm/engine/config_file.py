"""Reading a config, with what a user mistyped said in one line."""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from litehrnet_mm.cli import UserError, one_line, warn_user

READERS = ('_is_lazy_import', '_file2dict', '_parse_lazy_import')
"""Functions of MMEngine that read one file each, and call each other for bases."""


def load_config(path: str, options: dict[str, Any]) -> Config:
    """Read a config and merge ``--cfg-options`` into it.

    Raises:
        UserError: If there is no such file, or it or one of its bases cannot be
            read, or an option does not fit.
    """
    if not Path(path).is_file():
        raise UserError(f'config not found: {path}{_suggest_config(path)}')
    _check_bases(path)
    try:
        cfg = Config.fromfile(path)
        _import_all(cfg)
    except (Exception, SystemExit) as error:  # a config is a program
        said = _describe_failure(path, error)
        raise UserError(f'config {path} cannot be read: {said}') from error
    for key in options:
        if not _has_key(cfg, key):
            warn_user(f'{path}: {_describe_new(cfg, key)}')
    try:
        cfg.merge_from_dict(options)
    except Exception as error:
        raise UserError(f'--cfg-options do not fit {path}: {error}') from error
    return cfg


def _check_bases(path: str, above: tuple[str, ...] = ()) -> None:
    """Refuse a config that is its own base, of which MMEngine reads a thousand copies.

    Args:
        path: The config.
        above: The files that it is a base of.

    Raises:
        UserError: If it is among them, or one of its own bases is.
    """
    if os.path.realpath(path) in map(os.path.realpath, above):
        raise UserError(
            f'config {above[0]} cannot be read: {path} is a base (_base_) of itself, '
            f'through {above[-1]}: name another there'
        )
    try:
        bases = Config._get_base_files(path)
    except Exception:  # MMEngine comes to it, and it is said then
        return
    for base in bases:
        if isinstance(base, str) and '::' not in base:  # of an installed package
            _check_bases(os.path.join(os.path.dirname(path), base), (*above, path))


def _import_all(cfg: Config) -> None:
    """Import what a config in Python's own form names, which MMEngine puts off."""
    unused = getattr(cfg, '_imported_names', ())
    for key in cfg._cfg_dict:
        if key not in unused:
            _visit(cfg._cfg_dict[key])


def _visit(node: Any) -> None:
    if isinstance(node, dict):
        node = list(node.values())  # each is imported when it is asked for
    for child in node if isinstance(node, (list, tuple)) else ():
        _visit(child)


def _describe_failure(path: str, error: BaseException) -> str:
    """What went wrong, and where: in a base perhaps, at a line if there is one."""
    file, line = None, None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name in READERS:
            file, line = frame.f_locals['filename'], None
        elif frame.f_code.co_filename == file:
            line = number
    said = one_line(error)
    if isinstance(error, RecursionError):
        said = 'it is nested too deep, or a base of itself'
    kind = type(error).__name__
    if line is not None and said != kind:
        said = f'{kind}: {said}'
    if isinstance(error, SyntaxError) and error.filename == '<unknown>':
        line, said = error.lineno, str(error.msg)  # of the reader named last
    here = file is None or Path(file).resolve() == Path(path).resolve()
    place = [] if here else [file]
    if line is not None:
        place.append(f'line {line}')
    return f'{", ".join(place)}: {said}' if place else said


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
