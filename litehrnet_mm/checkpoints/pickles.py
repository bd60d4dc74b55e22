"""Looking through a pickle before it is read, for what would eat memory or time.

PyTorch's and our own unpicklers run no code, but they trust sizes, and hash whatever
tuple a file uses as a key: a few hundred bytes can take all memory, never end, or
overflow the stack. :func:`check_pickle` goes through the opcodes without making
anything. It follows the stack just far enough to know how large tuples are, with all
that is in them, what is called, and how much text and bytes it is given: a call of a
few bytes can copy a text of megabytes, which the file holds once.

Source: ``pickletools``, for the arguments of each opcode and what it does to the stack.
"""

from __future__ import annotations

import pickletools
import re

from litehrnet_mm.values import shown

MOST_OPCODES = 2_000_000
"""Of all pickles of a file: a tensor takes some 100, those of its training included."""
MAX_TUPLE = 2**20
"""Of :func:`_cost`: half a million values, or 19 tuples within each other."""
MAX_MARKS = 1000
"""Containers within each other that a file may be in the midst of."""
TUPLES = frozenset({'TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'FROZENSET'})
PUTS = frozenset({'PUT', 'BINPUT', 'LONG_BINPUT'})
GETS = frozenset({'GET', 'BINGET', 'LONG_BINGET'})
STRINGS = frozenset({'BINUNICODE', 'BINUNICODE8', 'BINBYTES', 'BINBYTES8'})
STRINGS |= {'SHORT_BINUNICODE', 'SHORT_BINBYTES', 'BYTEARRAY8', 'UNICODE', 'STRING'}
STRINGS |= {'BINSTRING', 'SHORT_BINSTRING'}
CALLS = frozenset({'REDUCE', 'BUILD', 'NEWOBJ', 'NEWOBJ_EX', 'OBJ', 'INST'})
MOST_COPIES = 4
"""Of its own bytes that a file may give to functions; of an array's it gives two."""
ITEM = 4
"""What a value in a container counts as."""
ITEMS = frozenset({'LIST', 'DICT', 'EMPTY_LIST', 'EMPTY_DICT'})
ADDED = frozenset({'APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'ADDITEMS'})
SET_BYTES = 64
"""What an empty set counts as: one byte makes it, and it takes over 200."""
ENCODE = b'_codecs\nencode\n'
"""By which protocol 2 has bytes; other codecs than latin1 can take hours."""
LONGEST_NAME = 200
NEVER_CALLED = re.compile(
    rb'(Tensor|Storage|HistoryBuffer|_rebuild_device_tensor\w+)\n'
)
"""What PyTorch lets in, and would make as much as it is told."""
BY_SIZE = (b'builtins\nbytearray\n', b'__builtin__\nbytearray\n')
"""What PyTorch lets make bytes of any number."""
WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes of the length that stands before an argument."""


class HarmfulError(Exception):
    """Why a pickle is not read."""


class UnfitError(HarmfulError):
    """Why one is not read that may well be sound."""


class _Opcode:
    """What there is to know of an opcode.

    Attributes:
        name: As ``pickletools`` has it.
        size: Bytes of its argument; negative where that begins with its length.
        lines: Lines of text that are its argument.
        pops: Values that it takes off the stack.
        to_mark: Whether it takes all down to the last mark first.
        pushes: Values that it puts on the stack.
    """

    def __init__(self, info: pickletools.OpcodeInfo) -> None:
        self.name = info.name
        size = info.arg.n if info.arg else 0
        self.size = size if size >= 0 else -WIDTHS.get(size, 0)
        self.lines = int(size == pickletools.UP_TO_NEWLINE)
        if info.name in ('GLOBAL', 'INST'):
            self.lines = 2
        before = [item.name for item in info.stack_before]
        self.to_mark = 'mark' in before
        self.pops = before.index('mark') if self.to_mark else len(before)
        self.pushes = len(info.stack_after)


OPCODES = {ord(info.code): _Opcode(info) for info in pickletools.opcodes}


def check_pickle(data: bytes, start: int = 0, most: int = MOST_OPCODES) -> int:
    """Look through a pickle; see :func:`look_through`.

    Returns:
        Where it ends.

    Raises:
        HarmfulError: As there.
    """
    return look_through(data, start, most)[0]


def look_through(data: bytes, start: int, most: int) -> tuple[int, int]:
    """Look through a pickle.

    Args:
        data: What holds it.
        start: Where it begins.
        most: Opcodes that it may have: each takes a microsecond or two.

    Returns:
        Where it ends, and how many opcodes it has.

    Raises:
        HarmfulError: If it is damaged, or would take memory or time that its size does
            not justify.
        UnfitError: If it has more opcodes.
    """
    walk = _Walk(len(data))
    position, count = start, 0
    while position < len(data):
        count += 1
        if count > most:
            raise UnfitError('it has more steps than any file of weights')
        opcode = OPCODES.get(data[position])
        if opcode is None:
            raise HarmfulError('it is no pickle, or damaged')
        begin = position + 1
        position = _end_of_argument(data, begin, opcode)
        if opcode.name == 'STOP':
            return position, count
        if opcode.name == 'GLOBAL' and data[begin:position] in BY_SIZE:
            raise HarmfulError('it makes a bytearray, which weights do not need')
        walk.step(opcode, data[begin : min(position, begin + LONGEST_NAME)])
        if opcode.name in STRINGS:
            walk.values[-1].size = position - begin
    raise HarmfulError('it is cut off')


def _end_of_argument(data: bytes, position: int, opcode: _Opcode) -> int:
    for _ in range(opcode.lines):
        position = data.find(b'\n', position) + 1
        if not position:
            raise HarmfulError('it is cut off')
    size = opcode.size
    if size < 0:
        length = int.from_bytes(data[position : position - size], 'little')
        size = length - size
    # A length below zero is read as one that no file has.
    if position + size > len(data):
        raise HarmfulError('it is cut off, or names a length beyond its end')
    return position + size


class _Value:
    """What there is to know of a value on the stack.

    Attributes:
        cost: Of a tuple, see :func:`_cost`.
        size: Bytes that a call which is given it may copy: those of a text and of what
            is made of it, and :data:`ITEM` for each that is in a container.
        name: Of a class or function, or the beginning of a text, or of what a tuple
            ends with, as the file has it.
    """

    __slots__ = ('cost', 'name', 'size')

    def __init__(self, cost: int = 0, size: int = 0, name: bytes = b'') -> None:
        self.cost, self.size, self.name = cost, size, name


PLAIN = _Value()
"""All that is none of these."""


class _Walk:
    """The stack of a pickle, with what is known of each value in its place.

    Args:
        size: Bytes of the whole file.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.copied = 0
        self.values: list[_Value] = []
        self.marks: list[int] = []
        self.memo: dict[int, _Value] = {}

    def step(self, opcode: _Opcode, argument: bytes) -> None:
        """Do to the stack what an opcode does, of whose argument this is the start."""
        name, values = opcode.name, self.values
        if name == 'MARK':
            self.marks.append(len(values))
            if len(self.marks) > MAX_MARKS:
                raise HarmfulError('what it holds is nested too deep')
        elif name in PUTS or name == 'MEMOIZE':
            index = _index(argument, name) if argument else len(self.memo)
            if index > self.size:  # memory is taken for all below
                raise HarmfulError(f'it remembers a value as the {index}th')
            self.memo[index] = values[-1] if values else PLAIN
        elif name in GETS:
            values.append(self.memo.get(_index(argument, name), PLAIN))
        elif name == 'DUP':
            values.append(values[-1] if values else PLAIN)
        elif name == 'POP' and self.marks and self.marks[-1] == len(values):
            self.marks.pop()
        elif name == 'GLOBAL' or name in STRINGS:
            values.append(_Value(name=argument))
        else:
            made = self._make(name, self._take(opcode))
            values.extend([made] * opcode.pushes)

    def _make(self, name: str, taken: list[_Value]) -> _Value:
        """What an opcode makes of values."""
        if name in ADDED:
            holder = _Value() if taken[0] is PLAIN else taken[0]
            holder.size += ITEM * (len(taken) - 1)
            return holder
        if name in TUPLES:
            size = sum(value.size for value in taken)
            last = taken[-1].name if taken else b''
            return _Value(_cost(taken), size + ITEM * len(taken), last)
        if name in CALLS:
            called = [PLAIN] if name == 'INST' else []  # whose name is no value
            return self._call(name, *called, *taken)
        if name == 'EMPTY_SET':
            self._copy(SET_BYTES)
            return _Value()
        # Of what is no tuple nothing is hashed but its place in memory.
        return _Value(size=ITEM * len(taken)) if name in ITEMS else PLAIN

    def _call(self, name: str, called: _Value, *given: _Value) -> _Value:
        is_made_empty = name == 'NEWOBJ' and b'HistoryBuffer' in called.name
        if NEVER_CALLED.search(called.name) and not is_made_empty:
            raise HarmfulError(
                f'it calls {shown(called.name.decode(errors="replace"))}'
            )
        if called.name == ENCODE and not given[-1].name.strip().endswith(b'latin1'):
            raise HarmfulError('it encodes a text in another way than NumPy does')
        size = sum(value.size for value in given)
        self._copy(size)
        return called if name == 'BUILD' else _Value(size=size)

    def _copy(self, size: int) -> None:
        self.copied += size
        if self.copied > MOST_COPIES * self.size:
            raise HarmfulError('it copies the same bytes over and over')

    def _take(self, opcode: _Opcode) -> list[_Value]:
        start = len(self.values)
        if opcode.to_mark:
            if not self.marks:
                raise HarmfulError('it ends what it has not begun')
            start = self.marks.pop()
        start -= opcode.pops
        if start < (self.marks[-1] if self.marks else 0):
            raise HarmfulError('it uses more than it has made')
        taken = self.values[start:]
        del self.values[start:]
        return taken


def _index(argument: bytes, name: str) -> int:
    if name in ('PUT', 'GET'):
        text = argument.strip()
        if not text.isdigit() or len(text) > 19:
            raise HarmfulError('it is damaged')
        return int(text)
    return int.from_bytes(argument, 'little')


def _cost(taken: list[_Value]) -> int:
    """Of a tuple: what hashing it takes, doubled for each tuple that it is within."""
    cost = 2 * (len(taken) + sum(value.cost for value in taken))
    if cost > MAX_TUPLE:
        raise HarmfulError('it has a tuple that is too large or nested too deep')
    return cost
