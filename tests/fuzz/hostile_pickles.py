"""Pickles that would run code, or eat memory or time, alone and hidden in others."""

from __future__ import annotations

import pickle
import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = Path(tempfile.gettempdir()) / 'litehrnet_mm_ran_code'
"""A file that code in a pickle would make."""
OPEN = f'open({str(MARKER)!r}, "w")'


def text(value: str) -> bytes:
    """A string as protocol 2 has it."""
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def call(module: str, name: str, *args: str) -> bytes:
    """Opcodes that call a function with strings."""
    return f'c{module}\n{name}\n('.encode() + b''.join(map(text, args)) + b'tR'


def code() -> Iterator[bytes]:
    """Opcodes, without frame and stop, that run code in a careless reader."""
    touch = f'touch {MARKER}'
    for module in ('os', 'posix', 'nt'):
        yield call(module, 'system', touch)
    for module in ('builtins', '__builtin__'):
        yield call(module, 'eval', OPEN)
        yield call(module, 'exec', OPEN)
        yield call(module, 'open', str(MARKER), 'w')
    yield call('subprocess', 'getoutput', touch)
    yield call('os', 'abort')
    yield call('pty', 'spawn', 'true')
    yield call('timeit', 'timeit', OPEN)
    yield call('runpy', 'run_path', str(MARKER))
    yield call('importlib', 'import_module', 'antigravity')
    yield call('numpy', 'fromfile', '/dev/zero')
    yield call('numpy', 'load', '/dev/zero')
    yield call('torch', 'load', '/dev/zero')
    yield call('torch.hub', 'load', 'x')
    yield call('torch.storage', '_load_from_bytes', 'x')
    yield call('numpy.core._internal', '_commastring', OPEN)
    yield call('numpy.testing', 'rundocs', str(MARKER))
    # The instance opcode of protocol 0, and one by a name on the stack.
    yield b'(' + text(touch) + b'ios\nsystem\n'
    yield text('os') + text('system') + b'\x93' + text(touch) + b'\x85R'
    # A function found by getattr, as checkpoints do for HistoryBuffer.
    yield b'cbuiltins\ngetattr\n(cbuiltins\ndict\n' + text('clear') + b'tR'
    yield (
        b'cbuiltins\ngetattr\n(cmmengine.logging\nHistoryBuffer\n'
        + text('__init__')
        + b'tR'
    )
    # Attributes of a function that a reader needs, set to something else.
    yield (
        b'ctorch._utils\n_rebuild_tensor_v2\n(N}'
        + text('__doc__')
        + text('x')
        + (b's\x86b')
    )
    yield b'cnumpy\nndarray\n}' + text('x') + text('y') + b'sb'


def bombs() -> Iterator[bytes]:
    """Opcodes that take memory or time in a careless reader, or end it."""
    # A place in the memo far behind the last.
    yield b'Nr' + struct.pack('<I', 0x7FFF_FFFF)
    yield b'Nr' + struct.pack('<I', 0x1800_0000)
    # Lengths of what the file does not hold.
    yield b'X' + struct.pack('<I', 0xF000_0000) + b'x'
    yield b'\x8e' + struct.pack('<Q', 2**40) + b'x'
    yield b'\x8b' + struct.pack('<I', 0x7FFF_FFFF) + b'\1'
    # A tuple of itself twice, 60 times over, as a key: 2**60 hashes.
    yield b'}(K\1q\x63' + b'h\x63h\x63\x86q\x63' * 60 + b'Nu'
    # Tuples so deep that hashing them leaves the stack.
    yield b'}(K\1' + b'\x85' * 300_000 + b'Nu'
    yield b'(' * 300_000 + b't' * 300_000
    yield b']' * 300_000 + b'a' * 299_999
    # Arrays and bytes that are made by their size.
    for name in ('bytes', 'bytearray'):
        yield f'cbuiltins\n{name}\n'.encode() + big(5 * 2**30) + b'\x85R'
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        yield (
            f'c{module}\n_reconstruct\ncnumpy\nndarray\n'.encode()
            + big(5 * 2**30)
            + b'\x85'
            + text('b')
            + b'\x87R'
        )
    # A view of one number as a tensor of very many.
    yield (
        b'ctorch._utils\n_rebuild_tensor_v2\n(((X\7\0\0\0storagectorch\nFloatStorage\n'
        + text('0')
        + text('cpu')
        + b'K\1tQK\0'
        + big(2**40)
        + b'\x85K\0\x85\x89ccollections\nOrderedDict\n)RtR'
    )

    yield from numpy_bombs()
    yield from copies()


def numpy_bombs() -> Iterator[bytes]:
    """States with which NumPy's ``__setstate__`` ends the interpreter."""
    array = 'c{}\n_reconstruct\ncnumpy\nndarray\nK\0\x85' + '{}\x87R(K\1K\x64\x85'
    array = array.format('numpy.core.multiarray', text('b').decode('latin1'))
    start, end = array.encode('latin1'), b'\x89]tb'
    flags = b'(K\4' + text('<') + b'NNN' + 2 * b'J\xff\xff\xff\xff' + b'K\x3ftb'
    for code, state in (('O8', b''), ('f8', flags), ('V8', b''), ('S8', b'')):
        kind = b'cnumpy\ndtype\n' + text(code) + b'\x89\x88\x87R' + state
        yield start + kind + end
        # As a scalar, whose type this is, too.
        scalar = b'cnumpy.core.multiarray\nscalar\n'
        yield scalar + kind + text('x') + b'\x86R'
    plain = b'(K\3' + text('<') + b'NNN' + 2 * b'J\xff\xff\xff\xff' + b'K\0tb'
    number = b'cnumpy\ndtype\n' + text('f8') + b'\x89\x88\x87R' + plain
    yield start + number + end
    yield b'cnumpy\nndarray\n' + big(2**33) + b'\x85\x85R'
    yield b'cnumpy\nndarray\n' + big(2**33) + b'\x85\x85\x81'


def copies() -> Iterator[bytes]:
    """Calls of a few bytes that copy what the file holds once, 2,000 times."""
    memo = b'q\x63'
    long = text('a' * 2_000_000)
    encode = b'c_codecs\nencode\nq\x60' + long + b'q\x61' + text('latin1') + b'q\x62'
    yield b'(' + encode + b'h\x60h\x61h\x62\x86R' * 2_000 + b't'
    yield b'](' + encode + b'h\x61h\x62\x86' + memo + b'h\x60h\x63R' * 2_000 + b'e'
    slow = text('ä\u4e00' * 300_000) + text('punycode')
    yield b'c_codecs\nencode\n' + slow + b'\x86R'
    numbers = b'](' + b''.join(b'M' + struct.pack('<H', k) for k in range(60_000))
    for name in ('builtins\nset', 'collections\nCounter'):
        many = b'h\x60h\x61R' * 2_000
        called = f'c{name}\n'.encode() + b'q\x60' + numbers + b'e\x85q\x61'
        yield b'(' + called + many + b't'
    # Classes that PyTorch lets in, made by their size, or of what a list repeats.
    for name in ('torch\nFloatTensor', 'torch\nTensor'):
        yield f'c{name}\n'.encode() + big(2**33) + b'\x85R'
        yield f'c{name}\n'.encode() + big(2**33) + b'\x85\x81'
    texts = b'](' + long + b'q\x61' + b'h\x61' * 999 + b'e'
    history = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
    yield history + texts + b'q\x62h\x62\x86R'


def big(number: int) -> bytes:
    """A whole number of up to eight bytes."""
    return b'\x8a\x08' + struct.pack('<q', number)


def wrapped(opcodes: bytes, chance: random.Random) -> bytes:
    """Hide opcodes in lists, tuples and dictionaries, up to six deep."""
    for _ in range(chance.choice((0, 0, 1, 2, 3, 6))):
        how = chance.randrange(4)
        if how == 0:
            opcodes = b']' + opcodes + b'a'
        elif how == 1:
            opcodes = opcodes + b'\x85'
        elif how == 2:
            opcodes = b'}' + text('x') + opcodes + b's'
        else:
            opcodes = b'(' + text('x') + opcodes + b'K\2t'
    return opcodes


def hide(pickled: bytes, chance: random.Random) -> bytes:
    """A pickle with hostile opcodes somewhere: alone, first, last, or within.

    Args:
        pickled: A valid one, of protocol 2, whose object is a dictionary or list.
        chance: Chooses.
    """
    bad = wrapped(chance.choice([*code(), *bombs()]), chance)
    how = chance.randrange(4)
    if how == 0:
        return b'\x80\2' + bad + b'.'
    if how == 1:  # made, thrown away, and what follows is as it was
        return pickled[:2] + bad + b'0' + pickled[2:]
    if how == 2:
        ending = b'a.' if pickled[2:3] == b']' else text('head.more') + bad + b's.'
        ending = bad + ending if pickled[2:3] == b']' else ending
        return pickled[:-1] + ending
    # In the place of a string or small number, wherever the first one found is.
    places = [k for k in range(2, len(pickled) - 2) if pickled[k : k + 1] == b'K']
    if not places:
        return b'\x80\2' + bad + b'.'
    at = chance.choice(places)
    return pickled[:at] + bad + pickled[at + 2 :]


def plain(value: Any) -> bytes:
    """A value as a pickle of protocol 2."""
    return pickle.dumps(value, 2)
