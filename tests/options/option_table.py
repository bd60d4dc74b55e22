"""Reads ``option_table.txt``: which test fails if an option is ignored."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = Path(__file__).with_name('option_table.txt')


def read_table() -> dict[str, dict[str, str]]:
    """For each tool or call, by its options the pytest ids of their tests.

    Keys are like ``'predict.py'``, then ``'predict.py --min-score'``; for arguments
    ``'litehrnet_mm.models.LiteHRNet'``, then ``'litehrnet_mm.models.LiteHRNet(arch)'``.
    """
    table: dict[str, dict[str, str]] = {}
    owner = file = ''
    for line in PATH.read_text(encoding='utf-8').splitlines():
        first, gap, last = line.strip().rpartition('  ')
        if line.startswith('#') or not gap:
            continue
        first = first.strip()
        if not line.startswith(' '):
            owner, file = first, last
            table[owner] = {}
            continue
        is_call = owner.startswith('litehrnet_mm.')
        name = f'{owner}({first})' if is_call else f'{owner} {first}'
        node = last if '::' in last else f'{file}::{last}'
        table[owner][name] = f'tests/{node}'
    return table


def function_of(node: str) -> str:
    """The pytest id of a test, with all its parameters."""
    return node.partition('[')[0]


def absent_tests(nodes: Iterable[str]) -> list[str]:
    """Those of the tests whose file, or function in it, there is not."""
    defined: dict[str, set[str]] = {}
    absent = []
    for node in nodes:
        path, _, name = function_of(node).partition('::')
        if path not in defined:
            defined[path] = _functions(ROOT / path)
        if name not in defined[path]:
            absent.append(node)
    return absent


def _functions(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    body = ast.parse(path.read_text(encoding='utf-8')).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}
