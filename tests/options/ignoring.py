"""Have a tool ignore one of its options, a call an argument, or all of us a variable.

Whatever is given for it, its default counts, and in the place of what has none a value
that does not depend on it: see :func:`stand_in`. A variable of the environment is not
set. Names are those of ``option_walker``: ``'predict.py --min-score'``,
``'litehrnet_mm.models.LiteHRNet(with_head)'``, ``'environment PORT'``.
"""

from __future__ import annotations

import argparse
import copy
import functools
import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

ENVIRONMENT = 'environment'
"""What names of variables start with."""

VARIABLE = 'LITEHRNET_MM_IGNORED'
"""Names what tools in other processes ignore; see ``sitecustomize.py``."""

SHAPE = (3, 64, 64)
"""Of images, in the place of any other: few networks take the shape (1, 1, 1)."""

PARSE_ARGS = argparse.ArgumentParser.parse_args


def ignore(name: str) -> None:
    """Ignore it in this process, and an option in those that it starts, too."""
    if name.endswith(')'):
        ignore_argument(*name[:-1].split('('))
        return
    if name.startswith(f'{ENVIRONMENT} '):
        ignore_variable(name.split()[1])
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
    if is_needed(action):
        default = next(iter(action.choices or [stand_in(getattr(found, action.dest))]))
    elif isinstance(default, str):
        default = parser._get_value(action, default)
    setattr(found, action.dest, copy.deepcopy(default))
    return found


def is_needed(action: argparse.Action) -> bool:
    """Whether a tool cannot do without an option, so that it has no default."""
    return action.required and action.nargs not in ('?', '*')


def stand_in(value: Any, name: str = '') -> Any:
    """What takes the place of a plain value that has no default: 1, or ``'x'``.

    In the place of each item of a sequence there is one; ``SHAPE`` for ``input_shape``.
    """
    if name == 'input_shape':
        return SHAPE
    if isinstance(value, (tuple, list)):
        return type(value)(map(stand_in, value))
    return type(value)('x' if isinstance(value, str) else 1)


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
    parameter = signature.parameters[name]
    free = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    needed = parameter.default is parameter.empty and not free

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        value = bound.arguments.pop(name, None)
        if needed:
            bound.arguments[name] = stand_in(value, name)
        return function(*bound.args, **bound.kwargs)

    return call


def ignore_variable(name: str) -> None:
    """Have a variable unset in this process and those that it starts."""
    os.environ.pop(name, None)
    environment = type(os.environ)
    environment.__setitem__ = functools.partialmethod(
        _set_others, environment.__setitem__, name
    )
    subprocess.Popen.__init__ = functools.partialmethod(
        _start_without, subprocess.Popen.__init__, name
    )


def _set_others(
    environment: os._Environ, usual: Callable, ignored: str, name: str, value: str
) -> None:
    if name != ignored:
        usual(environment, name, value)


def _start_without(
    process: subprocess.Popen, usual: Callable, ignored: str, *args: Any, **kwargs: Any
) -> None:
    environment = kwargs.pop('env', None)
    given = os.environ if environment is None else environment
    env = {name: value for name, value in given.items() if name != ignored}
    usual(process, *args, env=env, **kwargs)
