"""Have a tool ignore one of its options, or a call one of its arguments.

Whatever is given for it, its default counts. Names are those of ``option_walker``:
``'predict.py --min-score'``, ``'litehrnet_mm.models.LiteHRNet(with_head)'``.
"""

from __future__ import annotations

import argparse
import copy
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

VARIABLE = 'LITEHRNET_MM_IGNORED'
"""Names what tools in other processes ignore; see ``sitecustomize.py``."""

PARSE_ARGS = argparse.ArgumentParser.parse_args


def ignore(name: str) -> None:
    """Ignore it in this process, and an option in those that it starts, too."""
    if name.endswith(')'):
        ignore_argument(*name[:-1].split('('))
        return
    ignore_option(name)
    here = str(Path(__file__).parent)
    paths = [here, *filter(None, [os.environ.get('PYTHONPATH')])]
    os.environ.update({VARIABLE: name, 'PYTHONPATH': os.pathsep.join(paths)})


def ignore_option(name: str) -> None:
    """Ignore an option in this process."""
    reader = functools.partialmethod(_parse_and_ignore, name.split())
    argparse.ArgumentParser.parse_args = reader


def _parse_and_ignore(
    parser: argparse.ArgumentParser, words: Sequence[str], *args: Any, **kwargs: Any
) -> argparse.Namespace:
    """Read a command line, and take back the option of a tool, sub-command, name."""
    found = PARSE_ARGS(parser, *args, **kwargs)
    tool, *kinds, option = words
    if Path(sys.argv[0]).name != tool:
        return found
    for kind in kinds:
        (below,) = (x for x in parser._actions if x.dest == 'kind')
        if found.kind != kind:
            return found
        parser = below.choices[kind]
    (action,) = (x for x in parser._actions if option in (*x.option_strings, x.dest))
    default = action.default
    if isinstance(default, str):
        default = parser._get_value(action, default)
    setattr(found, action.dest, copy.deepcopy(default))
    return found


def ignore_argument(owner: str, name: str) -> None:
    """Ignore an argument of a function, of a constructor, or of ``X.__call__``."""
    public = owner.removesuffix('.__call__')
    package, _, own = public.rpartition('.')
    found = getattr(importlib.import_module(package), own)
    if public != owner:
        found.__call__ = without(found.__call__, name)
        return
    if inspect.isclass(found):
        found.__init__ = without(found.__init__, name)
        return
    other = without(found, name)
    for module in list(sys.modules.values()):
        for key, value in list(vars(module).items()):
            if value is found and isinstance(module, ModuleType):
                setattr(module, key, other)


def without(function: Callable, name: str) -> Callable:
    """A function that is called without an argument, whether it is given or not."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.arguments.pop(name, None)
        return function(*bound.args, **bound.kwargs)

    return call
