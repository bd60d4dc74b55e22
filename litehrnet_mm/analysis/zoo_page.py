"""The model zoo as a page in Markdown, written from the metafiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from litehrnet_mm.analysis.tables import amount, markdown_table
from litehrnet_mm.analysis.zoo import Entry, Result, Zoo

PAGE = 'docs/model_zoo.md'
DAGGER = '†'
NOTHING = '–'

INTRODUCTION = f"""\
# Model zoo

<!-- Written by tools/model_zoo.py from model-index.yml and the metafiles it names:
edit those, and run it again. -->

Each config with what it costs, what was published for it, and where the weights are.
Parameters and multiply-accumulates (MACs) are those of the whole network, head
included, for one image, as `tools/complexity.py CONFIG` counts them; see
[complexity.md](complexity.md). Accuracy is that of the source in its row. A dagger
({DAGGER}) marks numbers quoted from memory of the paper and not read again. Where a row
has no accuracy, we know of no published one.
"""

LOADING = """\
## Which command loads published weights

| format | command |
| --- | --- |
| `official`, `mmpose` | `python tools/test.py CONFIG FILE` takes them as they are |
| `paddle`, `pp-tinypose` | `python tools/convert_checkpoint.py auto FILE OUT.pth`, \
then `python tools/test.py CONFIG OUT.pth` |

What is checked on the way: [checkpoints.md](checkpoints.md)."""


def zoo_page(zoo: Zoo) -> str:
    """The whole page, with a table for each metafile.

    Args:
        zoo: What the metafiles say.
    """
    sections = {}
    for entry in zoo.entries:
        sections.setdefault(entry.metafile, []).append(entry)
    parts = [INTRODUCTION, *(_section(e, zoo.sources) for e in sections.values())]
    parts += [_measurements(zoo.entries), LOADING, _sources(zoo)]
    return '\n\n'.join(part.strip() for part in parts) + '\n'


def _section(entries: Sequence[Entry], sources: Mapping[str, str]) -> str:
    results = [result for entry in entries for result in entry.results]
    datasets = Counter(result.dataset for result in results)
    title = datasets.most_common(1)[0][0] if datasets else entries[0].training_data
    metrics = list(dict.fromkeys(name for r in results for name in r.metrics))
    header = ['config', 'input', 'parameters', 'MACs', *metrics, 'source', 'weights']
    rows = [[*header, 'measured here']]
    for entry in entries:
        for index, result in enumerate(entry.results or (None,)):
            rows.append(
                [
                    *(_entry_cells(entry) if index == 0 else [''] * 4),
                    *_result_cells(result, metrics, title, sources),
                    _measured_cell(entry) if index == 0 else '',
                ]
            )
    return f'## {title}\n\n{markdown_table(rows)}'


def _entry_cells(entry: Entry) -> list[str]:
    size = '×'.join(map(str, entry.input_size))
    link = f'[`{entry.name}`](../{quote(entry.config)})'
    return [link, size, amount(entry.parameters), amount(entry.macs)]


def _result_cells(
    result: Result | None,
    metrics: Sequence[str],
    title: str,
    sources: Mapping[str, str],
) -> list[str]:
    if result is None:
        return [NOTHING] * (len(metrics) + 2)
    mark = f' {DAGGER}' if result.recalled else ''
    numbers = [
        _number(result.metrics[name]) + mark if name in result.metrics else NOTHING
        for name in metrics
    ]
    source = f'[{result.source}]({sources[result.source]})'
    if result.dataset != title:
        source += f', on {result.dataset}'
    weights = f'[`{result.format}`]({result.weights})' if result.weights else NOTHING
    return [*numbers, source, weights]


def _measured_cell(entry: Entry) -> str:
    if not entry.measurements:
        return NOTHING
    found = '; '.join(_metrics(m.metrics) for m in entry.measurements)
    return f'[{found}](#measured-here)'


def _metrics(metrics: Mapping[str, float]) -> str:
    return ', '.join(f'{name} {_number(value)}' for name, value in metrics.items())


def _number(value: float) -> str:
    # Shares have three digits everywhere; errors in pixels have those of their source.
    return f'{value:.3f}' if value <= 1 else f'{value:g}'


def _measurements(entries: Iterable[Entry]) -> str:
    rows = [['config', 'weights', 'data', 'result', 'command']]
    rows += [
        [f'`{e.name}`', m.weights, m.dataset, _metrics(m.metrics), f'`{m.command}`']
        for e in entries
        for m in e.measurements
    ]
    return f'## Measured here\n\n{markdown_table(rows)}'


def _sources(zoo: Zoo) -> str:
    lines = [f'- {name}: <{url}>' for name, url in zoo.sources.items()]
    return '\n'.join(['## Sources', '', *lines])
