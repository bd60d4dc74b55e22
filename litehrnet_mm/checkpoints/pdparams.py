"""Reader of PaddlePaddle's ``.pdparams`` files that runs nothing they say.

A ``.pdparams`` file is a pickle: a program for a stack machine that can call any
function there is. This module is such a machine with nearly all of it left out. It
knows the opcodes of strings, numbers, tuples and dictionaries, and the few names in
:data:`CALLS`, which NumPy writes for an array; each stands for a function of this
module that checks its arguments. Nothing is imported, looked up or called by a name
from the file, so there is nothing to escape from. Python's own unpickler, even with a
restricted ``find_class``, would take memory for every size that a file claims, and
hash whatever tuple a file uses as a key, for ever or until the stack overflows.

Sources: ``pickletools`` for the opcodes; ``numpy.ndarray.__reduce__`` and
``numpy.dtype.__reduce__`` for the layout of an array; PaddlePaddle's
``python/paddle/framework/io.py`` for what ``paddle.save`` pickles: a state dict of
arrays with the entry :data:`NAME_TABLE` (protocols 2 to 4), or values of the form
``tuple((name, array))``.
"""

from __future__ import annotations

import pickletools
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np

from litehrnet_mm.checkpoints.ncnn import PathLike
from litehrnet_mm.checkpoints.pickles import HarmfulError, check_pickle
from litehrnet_mm.checkpoints.plain_arrays import PlainArray, PlainDType
from litehrnet_mm.cli import UserError
from litehrnet_mm.files import open_regular

NAME_TABLE = 'StructuredToParameterName@@'
MAX_BYTES = 64 * 2**20  # PP-TinyPose has 5.4 MB
MAX_STEPS = 1_000_000  # and some 30 thousand opcodes
MAX_NAME = 300

PUSHED = frozenset(
    {
        *('BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8'),
        *('BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8'),
        *('BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT'),
    }
)
"""Opcodes that put their own argument on the stack."""

CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False, 'EMPTY_TUPLE': ()}
TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
MARK = object()


class _RefusedError(UnpicklingError):
    """What a file holds is not what ``paddle.save`` writes."""


class _Name:
    """A function or class that the file names. It is only ever compared."""

    def __init__(self, text: str) -> None:
        self.text = text


def _new_array(*args: Any) -> PlainArray:
    kind = args[0] if args else None
    if not isinstance(kind, _Name) or kind.text != 'numpy.ndarray':
        raise _RefusedError('an array of another class than numpy.ndarray')
    return PlainArray()


def _encode(*args: Any) -> bytes:
    if len(args) != 2 or not all(isinstance(arg, str) for arg in args):
        raise _RefusedError('_codecs.encode without a text')
    text, codec = args
    if codec != 'latin1':
        raise _RefusedError(f'_codecs.encode to {codec[:20]!r} instead of latin1')
    try:
        return text.encode('latin1')
    except UnicodeEncodeError as error:
        raise _RefusedError('text that stands for no bytes') from error


def _new_dict(*args: Any) -> dict[str, Any]:
    if args:
        raise _RefusedError('an OrderedDict that is not made empty')
    return {}


def _new_tuple(*args: Any) -> tuple:
    if len(args) != 1 or not isinstance(args[0], tuple):
        raise _RefusedError('a tuple of something other than a tuple')
    return args[0]


CALLS: dict[str, Callable[..., Any]] = {
    'numpy.core.multiarray._reconstruct': _new_array,
    'numpy._core.multiarray._reconstruct': _new_array,  # since NumPy 2
    'numpy.dtype': PlainDType,
    '_codecs.encode': _encode,  # how protocol 2 writes bytes
    'collections.OrderedDict': _new_dict,
    'builtins.tuple': _new_tuple,
    '__builtin__.tuple': _new_tuple,  # in protocol 2
}
"""What stands here for each function that a file may call."""

NAMES = frozenset({*CALLS, 'numpy.ndarray'})


class _Machine:
    """The stack machine; each opcode of more than a line is a method of its name."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, arg: Any) -> None:
        """Carry out one opcode."""
        if opcode in PUSHED:
            self.stack.append(arg)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in TUPLES:
            count = TUPLES[opcode]
            self.stack.append(tuple([self.pop() for _ in range(count)][::-1]))
        elif opcode in OPCODES:
            OPCODES[opcode](self, arg)
        elif opcode not in ('FRAME', 'STOP'):
            raise _RefusedError(f'the pickle opcode {opcode}')

    def pop(self) -> Any:
        """Take the top of the stack off it."""
        if not self.stack or self.stack[-1] is MARK:
            raise _RefusedError('a pickle that uses more than it has made')
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Take all off the stack down to the last mark, and that too."""
        items = []
        while self.stack and self.stack[-1] is not MARK:
            items.append(self.stack.pop())
        if not self.stack:
            raise _RefusedError('a pickle that ends what it has not begun')
        self.stack.pop()
        return items[::-1]

    def proto(self, version: int) -> None:
        """Check the version of the format."""
        if not 2 <= version <= 4:
            raise _RefusedError(f'pickle protocol {version} instead of 2 to 4')

    def put(self, index: int | None) -> None:
        """Remember the top of the stack."""
        value = self.pop()
        self.stack.append(value)
        self.memo[len(self.memo) if index is None else index] = value

    def get(self, index: int) -> None:
        """Put on the stack what was remembered."""
        if index not in self.memo:
            raise _RefusedError('a pickle that refers to what it has not made')
        self.stack.append(self.memo[index])

    def name(self, arg: str | None) -> None:
        """Take note of the name of a function or class, if it is a known one."""
        parts = arg.split(' ') if arg else [self.pop(), self.pop()][::-1]
        if not all(isinstance(part, str) for part in parts):
            raise _RefusedError('a name that is no text')
        text = '.'.join(parts)
        if text not in NAMES:
            raise _RefusedError(
                f'the name {text[:80]!r}, which is no array or plain value and could '
                'run code'
            )
        self.stack.append(_Name(text))

    def reduce(self, _: None) -> None:
        """Call our own function for a name."""
        args, function = self.pop(), self.pop()
        if not isinstance(function, _Name) or function.text not in CALLS:
            raise _RefusedError('a call of something that is no function')
        if not isinstance(args, tuple):
            raise _RefusedError(f'a call of {function.text} without arguments')
        self.stack.append(CALLS[function.text](*args))

    def build(self, _: None) -> None:
        """Complete an array or its type."""
        state, value = self.pop(), self.pop()
        if not isinstance(value, (PlainArray, PlainDType)):
            raise _RefusedError(f'a state for a value of type {type(value).__name__}')
        value.__setstate__(state)
        self.stack.append(value)

    def set_items(self, items: list[Any]) -> None:
        """Add keys and values to the dictionary on top of the stack."""
        target = self.pop()
        if not isinstance(target, dict) or len(items) % 2:
            raise _RefusedError('items for something that is no dictionary')
        for key, value in zip(items[::2], items[1::2]):
            if not isinstance(key, str) or len(key) > MAX_NAME:
                raise _RefusedError('a key that is no name')
            if key in target:
                raise _RefusedError(f'the key {key[:80]!r} twice')
            target[key] = value
        self.stack.append(target)


OPCODES: dict[str, Callable[[_Machine, Any], Any]] = {
    'PROTO': _Machine.proto,
    'MARK': lambda machine, _: machine.stack.append(MARK),
    'EMPTY_DICT': lambda machine, _: machine.stack.append({}),
    'TUPLE': lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    'BINPUT': _Machine.put,
    'LONG_BINPUT': _Machine.put,
    'MEMOIZE': _Machine.put,
    'BINGET': _Machine.get,
    'LONG_BINGET': _Machine.get,
    'GLOBAL': _Machine.name,
    'STACK_GLOBAL': _Machine.name,
    'REDUCE': _Machine.reduce,
    'BUILD': _Machine.build,
    'SETITEM': lambda machine, _: machine.set_items(
        [machine.pop(), machine.pop()][::-1]
    ),
    'SETITEMS': lambda machine, _: machine.set_items(machine.pop_to_mark()),
}


def read_pdparams(path: PathLike) -> dict[str, np.ndarray]:
    """Read the arrays of a ``.pdparams`` file.

    Args:
        path: A file that ``paddle.save`` wrote for a layer's state dict.

    Returns:
        Arrays of plain numbers by name.

    Raises:
        UserError: If the file cannot be read, is larger than 64 MB, is damaged, or
            holds anything but named arrays of plain numbers.
    """
    try:
        with open_regular(path) as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from error
    if len(data) > MAX_BYTES:
        raise UserError(
            f'{path}: larger than {MAX_BYTES // 2**20} MB, which no Lite-HRNet is'
        )
    try:
        arrays = _arrays(_run(data))
        total = sum(array.nbytes for array in arrays.values())
        if total > len(data):
            raise _RefusedError(f'{total} bytes of arrays in {len(data)} of its own')
    except UnpicklingError as error:
        raise UserError(
            f'{path}: refused: holds {error}, where a .pdparams file has named arrays '
            'of plain numbers'
        ) from error
    return arrays


def _run(data: bytes) -> Any:
    """Carry out a pickle and return what it makes."""
    machine = _Machine()
    end = 0
    try:
        check_pickle(data, most=MAX_STEPS)
        for opcode, arg, position in pickletools.genops(data):
            machine.step(opcode.name, arg)
            end = position + 1  # of STOP, which comes last, and alone is one byte
    except HarmfulError as error:
        raise _RefusedError(f'a pickle that may harm ({error})') from error
    except ValueError as error:  # pickletools: what it cannot parse
        raise _RefusedError('a pickle that is damaged or cut off') from error
    if end != len(data):
        raise _RefusedError('more after the end of the pickle')
    if len(machine.stack) != 1:
        raise _RefusedError('a pickle that makes other than one object')
    return machine.stack[0]


def _arrays(content: Any) -> dict[str, np.ndarray]:
    """The named arrays of a state dict, Paddle's table of internal names left out."""
    if not isinstance(content, dict):
        raise _RefusedError('no dictionary')
    arrays = {}
    for key, value in content.items():
        if key == NAME_TABLE and isinstance(value, dict):
            continue
        named = isinstance(value, tuple) and len(value) == 2
        if named and isinstance(value[0], str):
            value = value[1]
        if not isinstance(value, PlainArray) or not value.complete:
            raise _RefusedError(f'no array under {key[:80]!r}')
        arrays[key] = value.view(np.ndarray)
    if not arrays:
        raise _RefusedError('no arrays')
    return arrays
