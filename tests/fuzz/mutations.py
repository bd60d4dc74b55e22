"""Ways to break a file: its bytes, its words, and what a JSON text says."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any, Callable

Change = Callable[[bytes, bytes, random.Random], bytes]

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
EXTREMES += (2**63 - 1, 2**64 - 1)
WORDS = (
    *(b'0', b'-1', b'1', b'2', b'1e999', b'-0.0', b'nan', b'NaN', b'inf', b'Infinity'),
    *(b'2147483648', b'99999999999999999999', b'1' * 400, b'\0', b'\xff\xfe', b'='),
    *(b'null', b'true', b'""', b'[]', b'{}', b',', b'"', b'\\', b'\n', b'%s%n'),
    *('０１'.encode(), b'1_000', b'0x10', b'../../x', b'{' * 50, b'[' * 5000),
)
VALUES = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 10**400, 0.5, -0.0, 1e300),
    *(float('nan'), float('inf'), -float('inf'), '', '1', 'x', 'a\nb', '\0', '😀'),
    *([], {}, [1], [[]], {'id': 1}, [None] * 4, '9' * 5000),
)


def place(size: int, chance: random.Random) -> int:
    """A position in so many bytes: as often near the ends as anywhere."""
    near = min(size, 2048)
    start = chance.choice((0, 0, size - near, chance.randint(0, size - near)))
    return start + chance.randrange(max(near, 1))


def flip(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Flip one to eight bits."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[place(len(data), chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Replace some bytes by random ones."""
    start, length = place(len(data), chance), chance.choice((1, 2, 4, 16, 200))
    length = min(length, len(data) - start)
    return data[:start] + chance.randbytes(length) + data[start + length :]


def cut(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Leave out the end."""
    return data[: place(len(data), chance)]


def append(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Add something at the end."""
    return data + chance.choice((b'\0', b'x', chance.randbytes(40), data[:200], data))


def insert(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Add something within."""
    start = place(len(data), chance)
    return data[:start] + chance.randbytes(chance.choice((1, 2, 8, 100))) + data[start:]


def delete(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Leave out something within."""
    start = place(len(data), chance)
    return data[:start] + data[start + chance.choice((1, 2, 8, 100)) :]


def duplicate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Repeat a part, there or elsewhere."""
    start, length = place(len(data), chance), chance.choice((1, 4, 32, 300))
    at = chance.choice((start, place(len(data), chance)))
    return data[:at] + data[start : start + length] + data[at:]


def extreme(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put an extreme whole number in the place of 1 to 8 bytes."""
    start, size = place(len(data), chance), chance.choice((1, 2, 4, 8))
    number = chance.choice(EXTREMES) % 2 ** (8 * size)
    order = chance.choice(('little', 'big'))
    changed = bytearray(data)
    changed[start : start + size] = number.to_bytes(size, order)
    return bytes(changed[: len(data)])


def halves(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put the beginning of one file before the end of another."""
    middle = len(data) // 2
    if other == data:
        other = data[middle:] + data[:middle]
    at = chance.choice((middle, place(len(data), chance)))
    return data[:at] + other[min(at, len(other)) :]


def zeros(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put zeros in the place of a part, as a disk may after a crash."""
    start = place(len(data), chance)
    length = min(chance.choice((8, 512, 4096)), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


def word(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put a nasty word in the place of one of a text's."""
    found = list(re.finditer(rb'[\w.+-]+|"[^"]*"', data))
    if not found:
        return chance.choice(WORDS)
    one = chance.choice(found)
    text = chance.choice((*WORDS, chance.choice(found)[0]))
    return data[: one.start()] + text + data[one.end() :]


def line(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Leave out, repeat or exchange lines of a text."""
    lines = data.split(b'\n')
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    how = chance.randrange(3)
    if how == 0:
        del lines[one]
    elif how == 1:
        lines.insert(two, lines[one])
    else:
        lines[one], lines[two] = lines[two], lines[one]
    return b'\n'.join(lines)


BYTES: dict[str, Change] = {
    **dict(flip=flip, overwrite=overwrite, cut=cut, append=append, insert=insert),
    **dict(delete=delete, duplicate=duplicate, extreme=extreme, halves=halves),
    'zeros': zeros,
}
TEXT: dict[str, Change] = {**BYTES, 'word': word, 'line': line}


def nodes(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Paths of all values within a JSON value."""
    items = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key)
        yield from nodes(item, (*path, key))


def pick(content: Any, chance: random.Random) -> tuple[Any, Any] | None:
    """Where a value of a JSON text is: what holds it, and its key."""
    depth = chance.choice((1, 2, 3, 3, 4, 5))
    paths = list(nodes(content))
    chosen = [path for path in paths if len(path) == depth] or paths
    if not chosen:
        return None
    *outer, key = chance.choice(chosen)
    for step in outer:
        content = content[step]
    return content, key


def structure(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Replace, leave out, repeat or nest values of a JSON text."""
    content = json.loads(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        found = pick(content, chance)
        if found is None:
            content = chance.choice(VALUES)
            continue
        _change(*found, chance)
    return json.dumps(content).encode()


def _change(holder: Any, key: Any, chance: random.Random) -> None:
    how = chance.randrange(6)
    if how <= 2:
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    elif how == 3:
        del holder[key]
    elif how == 4:
        same = list(holder.values()) if isinstance(holder, dict) else holder
        holder[key] = copy.deepcopy(chance.choice(list(same)))
    elif isinstance(holder, list):
        holder.insert(chance.randint(0, len(holder)), copy.deepcopy(holder[key]))
    else:
        holder[f'{key}_'] = holder.pop(key)


def nest(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put a value that is nested very deep in the place of one of a JSON text's."""
    content = json.loads(data)
    found = pick(content, chance)
    depth = chance.choice((100, 5_000, 200_000))
    opening, closing = chance.choice(((b'[', b']'), (b'{"a":', b'}')))
    deep = opening * depth + b'1' + closing * depth
    if found is None:
        return deep
    holder, key = found
    holder[key] = '@deep@'
    return json.dumps(content).encode().replace(b'"@deep@"', deep)


JSON: dict[str, Change] = {
    **TEXT,
    **dict(nest=nest),
    **{f'structure {k}': structure for k in range(12)},  # what matters most
}
