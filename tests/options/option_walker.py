"""Every option of the tools, every argument of what the package offers, and variables.

Public is what a package of ``litehrnet_mm`` names in its ``__all__``, what is in its
registries, and ``RuntimeModel``, whose arguments others of these take as
``**settings``. Arguments of a class are those of its constructor and of calling it.

Left out is what a result is made of, and so cannot be ignored: what has no default and
is an object, or names a file or a folder. Numbers, texts, choices and tuples of them
are walked, with a default or without one.

Variables are those of the environment that scripts and configs read, and what the
documentation sets or lists beside them, but for those of ``FOREIGN``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import io
import pkgutil
import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from unittest import mock

from ignoring import ENVIRONMENT, is_needed

import litehrnet_mm
from litehrnet_mm.registry import HOOKS, METRICS, MODELS
from litehrnet_mm.runtime.model import RuntimeModel

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {'int', 'float', 'str', 'bool', 'tuple', 'list', 'Sequence', 'Colour'}
"""What types of plain values are made of."""

FOREIGN = {
    'CFLAGS',
    'CONFIG',
    'CUDA_VISIBLE_DEVICES',
    'FORCE_CUDA',
    'KEY',
    'MMCV_WITH_OPS',
}
"""What commands of the documentation set for themselves, for CUDA and to build mmcv;
and the ``KEY=VALUE`` of ``--cfg-options``."""


class Found(BaseException):
    """What a tool would read its command line with; ends the tool."""


@dataclass(frozen=True)
class Parser:
    """What reads the options of a tool, or of one of its sub-commands.

    Attributes:
        name: The tool's file, and the sub-command.
        options: All but ``--help``.
        help: What ``--help`` prints.
    """

    name: str
    options: tuple[argparse.Action, ...]
    help: str


def option_name(action: argparse.Action) -> str:
    """``--option``, or the name of what is given by its place."""
    return action.option_strings[-1] if action.option_strings else action.dest


def is_material(action: argparse.Action) -> bool:
    """Whether it is a file or folder that a tool needs, and so cannot ignore."""
    is_path = action.choices is None and action.type in (None, Path)
    return is_needed(action) and is_path


def find_parsers() -> Iterator[Parser]:
    """Of all tools and sub-commands."""
    for path in sorted((ROOT / 'tools').glob('*.py')):
        with mock.patch.object(argparse.ArgumentParser, 'parse_args', _stop):
            try:
                _call(path)
            except Found as found:
                yield from _walk(path, found.args[0], ())


def _stop(parser: argparse.ArgumentParser, *_: Any) -> None:
    raise Found(parser)


def _call(path: Path, *words: str) -> str:
    """Run a tool in this process; what it printed."""
    printed = io.StringIO()
    with (
        mock.patch.object(sys, 'argv', [path.name, *words]),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        runpy.run_path(str(path), run_name='__main__')
    return printed.getvalue()


def _walk(
    path: Path, parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[Parser]:
    kinds = [x for x in parser._actions if isinstance(x, argparse._SubParsersAction)]
    for action in kinds:
        for word, below in action.choices.items():
            yield from _walk(path, below, (*words, word))
    if not kinds:
        left_out = argparse._HelpAction
        options = [x for x in parser._actions if not isinstance(x, left_out)]
        with mock.patch.object(argparse.ArgumentParser, 'parse_args', PARSE_ARGS):
            text = _call(path, *words, '--help')
        yield Parser(' '.join((path.name, *words)), tuple(options), text)


PARSE_ARGS = argparse.ArgumentParser.parse_args


@dataclass(frozen=True)
class Call:
    """What of the package can be called.

    Attributes:
        name: As it is imported, with ``.__call__`` where an instance is called.
        about: Its documentation.
        material: Names of the arguments that its result is made of.
        others: Names of those that it could ignore.
    """

    name: str
    about: str
    material: tuple[str, ...]
    others: tuple[str, ...]


def find_calls() -> Iterator[Call]:
    """All that is public, each under one name."""
    for name, found in sorted(_public().items()):
        yield _describe(name, found, inspect.signature(found))
        if inspect.isclass(found) and '__call__' in vars(found):
            own = found.__call__
            parameters = list(inspect.signature(own).parameters.values())[1:]
            yield _describe(f'{name}.__call__', own, inspect.Signature(parameters))


def _public() -> dict[str, Callable]:
    found: dict[str, Callable] = {}
    for info in pkgutil.walk_packages(litehrnet_mm.__path__, 'litehrnet_mm.'):
        module = importlib.import_module(info.name)
        for name in getattr(module, '__all__', ()):
            if callable(getattr(module, name)):
                found[f'{info.name}.{name}'] = getattr(module, name)
    for registry in (MODELS, HOOKS, METRICS):
        registry.import_from_location()
        for one in (*registry.module_dict.values(), RuntimeModel):
            if one not in found.values():
                found[f'{one.__module__}.{one.__name__}'] = one
    return found


def _describe(name: str, found: Callable, signature: inspect.Signature) -> Call:
    material, others = [], []
    for parameter in signature.parameters.values():
        (material if _is_material(parameter) else others).append(parameter.name)
    about = inspect.getdoc(found) or ''
    return Call(name, about, tuple(material), tuple(others))


def _is_material(parameter: inspect.Parameter) -> bool:
    free = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    if free or parameter.default is not parameter.empty:
        return False
    is_path = parameter.name.endswith(('_file', '_dir'))
    return is_path or not set(re.findall(r'\w+', parameter.annotation)) <= PLAIN


def find_variables() -> Iterator[str]:
    """What scripts and configs read from the environment, or documentation names."""
    found: set[str] = set()
    for folder, kind, pattern in (
        ('tools', '*.sh', r'\$\{([A-Z_]+):-'),
        ('configs', '*.py', r'\{\{\$([A-Z0-9_]+)'),
        ('docs', '*.md', r'(?<![\w$-])([A-Z][A-Z0-9_]+)='),
    ):
        for path in (ROOT / folder).rglob(kind):
            found.update(re.findall(pattern, path.read_text('utf-8')))
    for path in (ROOT / 'docs').glob('*.md'):
        for table in re.findall(r'(?:^\|.*\n)+', path.read_text('utf-8'), re.MULTILINE):
            if '| variable |' in table:
                found.update(re.findall(r'\| `([A-Z0-9_]+)` \|', table))
    yield from sorted(found - FOREIGN)


def find_names() -> list[str]:
    """All that a tool or a call could ignore, by the names that the table has."""
    names = [
        f'{parser.name} {option_name(action)}'
        for parser in find_parsers()
        for action in parser.options
        if not is_material(action)
    ]
    names += [f'{c.name}({name})' for c in find_calls() for name in c.others]
    return names + [f'{ENVIRONMENT} {name}' for name in find_variables()]
