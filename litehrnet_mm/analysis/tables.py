"""Numbers and tables as people read them."""

from __future__ import annotations

from collections.abc import Sequence


def amount(value: float) -> str:
    """A count in millions (M) or billions (G), to four digits: ``198.6 M``."""
    return f'{value / 1e9:#.4g} G' if value >= 1e9 else f'{value / 1e6:#.4g} M'


def printed(value: float) -> str:
    """A published count with the digits that it was published with: ``205.2 M``."""
    return f'{value / 1e9:g} G' if value >= 1e9 else f'{value / 1e6:g} M'


def text_table(rows: Sequence[Sequence[str]], align: str) -> str:
    """A table for the terminal.

    Args:
        rows: The header, then the rows, all of the same length.
        align: For each column ``<`` or ``>``, to the left or to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        '  '.join(f'{c:{side}{w}}' for c, side, w in zip(row, align, widths)).rstrip()
        for row in rows
    ]
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown: the header, then the rows."""
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    lines.insert(1, '|' + ' --- |' * len(rows[0]))
    return '\n'.join(lines)
