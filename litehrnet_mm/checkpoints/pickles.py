"""Looking through a pickle before it is read, for what would eat memory or time.

PyTorch's and our own unpicklers run no code, but they trust sizes, and hash whatever
tuple a file uses as a key: a few hundred bytes can take all memory, never end, or
overflow the stack. :func:`check_pickle` goes through the opcodes without making
anything. It follows the stack just far enough to know how large tuples are, with all
that is in them.

Source: ``pickletools``, for the arguments of each opcode and what it does to the stack.
"""

from __future__ import annotations

import pickletools

MAX_TUPLE = 2**20
"""Of :func:`_cost`: half a million values, or 19 tuples within each other."""
MAX_MARKS = 1000
"""Containers within each other that a file may be in the midst of."""
TUPLES = frozenset({'TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'FROZENSET'})
PUTS = frozenset({'PUT', 'BINPUT', 'LONG_BINPUT'})
GETS = frozenset({'GET', 'BINGET', 'LONG_BINGET'})
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


def check_pickle(data: bytes, start: int = 0) -> int:
    """Look through a pickle.

    Args:
        data: What holds it.
        start: Where it begins.

    Returns:
        Where it ends.

    Raises:
        HarmfulError: If it is damaged, or would take memory or time that its size does
            not justify.
    """
    walk = _Walk(len(data))
    position = start
    while position < len(data):
        opcode = OPCODES.get(data[position])
        if opcode is None:
            raise HarmfulError('it is no pickle, or damaged')
        begin = position + 1
        position = _end_of_argument(data, begin, opcode)
        if opcode.name == 'STOP':
            return position
        if opcode.name == 'GLOBAL' and data[begin:position] in BY_SIZE:
            raise HarmfulError('it makes a bytearray, which weights do not need')
        walk.step(opcode, data[begin:position] if opcode.name in PUTS | GETS else b'')
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


class _Walk:
    """The stack of a pickle, with the cost of each value on it in its place.

    Args:
        size: Bytes of the whole file.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.costs: list[int] = []
        self.marks: list[int] = []
        self.memo: dict[int, int] = {}

    def step(self, opcode: _Opcode, argument: bytes) -> None:
        """Do to the stack what an opcode does."""
        name, costs = opcode.name, self.costs
        if name == 'MARK':
            self.marks.append(len(costs))
            if len(self.marks) > MAX_MARKS:
                raise HarmfulError('what it holds is nested too deep')
        elif name in PUTS or name == 'MEMOIZE':
            index = _index(argument, name) if argument else len(self.memo)
            if index > self.size:  # memory is taken for all below
                raise HarmfulError(f'it remembers a value as the {index}th')
            self.memo[index] = costs[-1] if costs else 0
        elif name in GETS:
            costs.append(self.memo.get(_index(argument, name), 0))
        elif name == 'DUP':
            costs.append(costs[-1] if costs else 0)
        elif name == 'POP' and self.marks and self.marks[-1] == len(costs):
            self.marks.pop()
        else:
            taken = self._take(opcode)
            # Of what is no tuple nothing is hashed but its place in memory.
            cost = _cost(taken) if name in TUPLES else 0
            costs.extend([cost] * opcode.pushes)

    def _take(self, opcode: _Opcode) -> list[int]:
        start = len(self.costs)
        if opcode.to_mark:
            if not self.marks:
                raise HarmfulError('it ends what it has not begun')
            start = self.marks.pop()
        start -= opcode.pops
        if start < (self.marks[-1] if self.marks else 0):
            raise HarmfulError('it uses more than it has made')
        taken = self.costs[start:]
        del self.costs[start:]
        return taken


def _index(argument: bytes, name: str) -> int:
    if name in ('PUT', 'GET'):
        text = argument.strip()
        if not text.isdigit() or len(text) > 19:
            raise HarmfulError('it is damaged')
        return int(text)
    return int.from_bytes(argument, 'little')


def _cost(taken: list[int]) -> int:
    """Of a tuple: what hashing it takes, doubled for each tuple that it is within."""
    cost = 2 * (len(taken) + sum(taken))
    if cost > MAX_TUPLE:
        raise HarmfulError('it has a tuple that is too large or nested too deep')
    return cost
