"""Values that a user's files hold: whether they are sensible, and how to show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LARGEST = 1e9
"""Of coordinates and areas; what is beyond, or is no number at all, is a mistake."""


def is_number(value: Any) -> bool:
    """Whether a value is a finite number of a sensible size."""
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_one and abs(value) <= LARGEST  # NaN is not


def is_id(value: Any) -> bool:
    """Whether a value is a whole number, as MMPose and COCO's API need it."""
    is_one = isinstance(value, int) and not isinstance(value, bool)
    return is_one and 0 <= value < 2**63


def are_numbers(value: Any) -> bool:
    """Whether a value is a list of numbers."""
    return isinstance(value, list) and all(map(is_number, value))


def shown(value: Any, length: int = 60) -> str:
    """A value of a user's file in printable letters, in one line, cut if it is long."""
    if isinstance(value, str):
        value = value[: length + 1]  # of one that has megabytes no more is looked at
    text = value if isinstance(value, str) and value.isprintable() else _repr(value)
    return text if len(text) <= length else f'{text[: length - 1]}…'


def printable(text: str) -> str:
    """A text with escape sequences for all that is no letter of one line."""
    return ''.join(x if x.isprintable() else repr(x)[1:-1] for x in text)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # of too many digits, or nested too deep
        return f'a {type(value).__name__} that is too large to show'


def listed(values: Sequence[Any], most: int = 5) -> str:
    """Some values in a line, and how many more there are."""
    more = f' and {len(values) - most} more' if len(values) > most else ''
    return ', '.join(shown(value) for value in values[:most]) + more
