"""The complexity of every system of the paper: published, and measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litehrnet_mm.analysis.complexity import measure
from litehrnet_mm.analysis.complexity_config import measure_config
from litehrnet_mm.analysis.tables import amount, printed, text_table
from litehrnet_mm.analysis.zoo import Published, Zoo
from litehrnet_mm.models import LiteHRNet

DAGGER = '†'
RECALLED = f'{DAGGER} quoted from memory of the paper, not read again'
COUNTING = """\
Each published number is followed by ours, and by how much ours differs from it.
Published MACs come from the authors' script, which prints binary units (M = 2^20,
G = 2^30), counts each layer once, and counts BatchNorm, ReLU, biases and pooling too.
Measured are the MACs of convolutions and matrix products, each layer once, pose head
included, in M = 10^6 and G = 10^9."""

HEADER = (
    'network',
    'data',
    'input',
    'parameters',
    'measured',
    'differ',
    'MACs',
    'measured',
    'differ',
    'published in',
    'note',
)


@dataclass(frozen=True)
class PaperRow:
    """A system of the paper.

    Attributes:
        network: Name of the network.
        data: What it was trained on.
        input_size: Height and width of the input.
        config: The config that describes it, or ``None``: then the backbone of
            ``arch`` is measured without iterative head.
        arch: The backbone's ``arch`` where there is no config.
        published: What the authors say.
    """

    network: str
    data: str
    input_size: tuple[int, int]
    config: str | None
    arch: str | None
    published: Published


@dataclass(frozen=True)
class Measured:
    """What is compared: parameters, and multiply-accumulates with each layer once."""

    parameters: int
    macs: int


def paper_rows(zoo: Zoo) -> list[PaperRow]:
    """Every system whose complexity the authors published, with a config or without."""
    rows = [
        PaperRow(e.network, e.training_data, e.input_size, e.config, None, e.published)
        for e in zoo.entries
        if e.published is not None
    ]
    rows += [
        PaperRow(s.network, s.dataset, s.input_size, None, s.arch, s.published)
        for s in zoo.unbuilt
    ]
    return rows


def measure_row(row: PaperRow, root: Path) -> Measured:
    """Measure a row's network.

    Args:
        row: The row.
        root: The folder that paths of configs start from.
    """
    if row.config is not None:
        complexity = measure_config(str(root / row.config), row.input_size)
    else:
        # For segmentation all branches are joined, and no iterative head comes first.
        net = LiteHRNet(row.arch, out_indices=(0, 1, 2, 3), with_head=False)
        complexity = measure(net, (3, *row.input_size))
    return Measured(complexity.parameters, complexity.macs_once)


def difference(measured: int, published: int) -> float:
    """The measured number's excess, relative to the published one."""
    return measured / published - 1


def paper_text(rows: Sequence[PaperRow], measured: Sequence[Measured]) -> str:
    """The table, and below it what the numbers mean and why some differ.

    Args:
        rows: Systems of the paper.
        measured: What each one measures.
    """
    notes = list(dict.fromkeys(r.published.note for r in rows if r.published.note))
    table = [HEADER, *(_cells(*pair, notes) for pair in zip(rows, measured))]
    below = [f'({i}) {note}' for i, note in enumerate(notes, 1)]
    if any(row.published.recalled for row in rows):
        below.append(RECALLED)
    return '\n'.join([text_table(table, '<<>>>>>>><<'), '', *below, '', COUNTING])


def _cells(row: PaperRow, measured: Measured, notes: list[str]) -> tuple[str, ...]:
    published = row.published
    mark = f' {DAGGER}' if published.recalled else ''
    note = published.note
    return (
        row.network,
        row.data,
        '×'.join(map(str, row.input_size)),
        printed(published.parameters) + mark,
        amount(measured.parameters),
        f'{difference(measured.parameters, published.parameters):+.1%}',
        printed(published.macs) + mark,
        amount(measured.macs),
        f'{difference(measured.macs, published.macs):+.1%}',
        published.source,
        f'({notes.index(note) + 1})' if note else '',
    )


def paper_data(
    rows: Sequence[PaperRow], measured: Sequence[Measured], sources: Mapping[str, str]
) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    return dict(
        rows=[_row_data(*pair, sources) for pair in zip(rows, measured)],
        counting=' '.join(COUNTING.split()),
    )


def _row_data(
    row: PaperRow, measured: Measured, sources: Mapping[str, str]
) -> dict[str, Any]:
    published = row.published
    return dict(
        network=row.network,
        data=row.data,
        input_size=row.input_size,
        config=row.config,
        parameters=dict(
            published=published.parameters,
            measured=measured.parameters,
            difference=difference(measured.parameters, published.parameters),
        ),
        macs=dict(
            published=published.macs,
            measured=measured.macs,
            difference=difference(measured.macs, published.macs),
        ),
        source=published.source,
        source_url=sources[published.source],
        recalled=published.recalled,
        note=published.note,
    )
