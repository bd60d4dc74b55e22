"""Curves of logged scalars, and a table of their last and best values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from litehrnet_mm.analysis.logs import Log, Row
from litehrnet_mm.cli import UserError
from litehrnet_mm.values import shown
from litehrnet_mm.visualization.charts import COLOURS, open_sides, save_figure

CHIEF_METRICS = ('coco/AP', 'mIoU', 'PCK', 'AUC', 'EPE', 'NME')
"""Drawn if no keys are given, in place of all metrics of an evaluation."""

LOWER_IS_BETTER = ('loss', 'EPE', 'NME')
NO_BEST = ('lr', 'time', 'memory', 'grad_norm', 'momentum')
DASHES = ('-', '--', ':', '-.')
WIDTH, PANEL_HEIGHT = 9, 3.2
"""Of the chart and of each panel, in inches."""


def choose_keys(logs: Sequence[Log], wanted: Sequence[str]) -> list[str]:
    """The scalars to draw: the wanted, or else the loss and the chief metrics.

    Raises:
        UserError: If one is in no log.
    """
    trained, evaluated = (_all_keys(logs, one) for one in (False, True))
    if wanted:
        for key in wanted:
            if key not in trained + evaluated:
                known = ', '.join(map(shown, dict.fromkeys(trained + evaluated)))
                raise UserError(f'no scalar {key!r} was logged: there are {known}')
        return list(dict.fromkeys(wanted))
    chief = [key for key in CHIEF_METRICS if key in evaluated] or evaluated
    return [key for key in trained if key == 'loss'] + chief


def _all_keys(logs: Sequence[Log], is_evaluation: bool) -> list[str]:
    return list(dict.fromkeys(k for log in logs for k in log.keys(is_evaluation)))


def list_keys(logs: Sequence[Log]) -> str:
    """The scalars of each run, as text."""
    lines = []
    for log in logs:
        lines.append(f'{log.name}: {len(log.rows)} rows')
        for title, is_evaluation in (('training', False), ('evaluation', True)):
            keys = ', '.join(map(shown, log.keys(is_evaluation))) or 'none'
            lines.append(f'  {title:10}  {keys}')
    return '\n'.join(lines)


def summary_rows(logs: Sequence[Log], keys: Sequence[str]) -> list[list[str]]:
    """Header and rows: the last and the best value of each scalar of each run."""
    table = [['run', 'scalar', 'last', 'at', 'best', 'at']]
    for log in logs:
        for key in keys:
            for is_evaluation in (False, True):
                rows = log.having(key, is_evaluation)
                if rows:
                    best = _best(rows, key)
                    cells = [*_cells(rows[-1], key), *_cells(best, key)]
                    table.append([log.name, shown(key), *cells])
    return table


def _best(rows: Sequence[Row], key: str) -> Row | None:
    known = [row for row in rows if not math.isnan(row.values[key])]
    if not known or any(word in key for word in NO_BEST):
        return None
    lower = any(word in key for word in LOWER_IS_BETTER)
    return (min if lower else max)(known, key=lambda row: row.values[key])


def _cells(row: Row | None, key: str) -> tuple[str, str]:
    if row is None:
        return '', ''
    if row.is_evaluation and row.epoch is not None:
        return f'{row.values[key]:.4g}', f'epoch {row.epoch:g}'
    return f'{row.values[key]:.4g}', f'iteration {row.iteration:.0f}'


def smoothed(values: Sequence[float], factor: float) -> list[float]:
    """The exponential moving average, as TensorBoard smoothes.

    Args:
        values: One after another; what is not a number is passed over.
        factor: What the past weighs, from 0 (no smoothing) to below 1.
    """
    total = weight = 0.0
    result = []
    for value in values:
        if math.isnan(value):
            result.append(value)
            continue
        total = factor * total + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        result.append(total / weight)
    return result


def draw_curves(
    logs: Sequence[Log], keys: Sequence[str], x: str, smooth: float, path: Path
) -> None:
    """Draw training above evaluation.

    All losses share a panel, all metrics of evaluations do, and each other scalar of
    training, which has a scale of its own, gets one.

    Args:
        logs: The runs.
        keys: The scalars.
        x: ``'iter'`` or ``'epoch'``.
        smooth: See :func:`smoothed`; evaluations and ``lr`` stay as they are.
        path: PNG, SVG or PDF.

    Raises:
        UserError: If ``x`` is ``'epoch'`` and a run was not trained by epochs, or the
            file cannot be written.
    """
    for log in logs:
        if x == 'epoch' and not log.by_epoch:
            raise UserError(
                f'{log.name} was trained by iterations, so it has no epochs: --x iter'
            )
    panels = _panels(logs, keys)
    size = (WIDTH, PANEL_HEIGHT * len(panels) + 0.3)
    figure = Figure(figsize=size, layout='constrained')
    rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    with rc_context({'text.parse_math': False}):  # names may have dollar signs
        for axes, (is_evaluation, members) in zip(rows, panels):
            factor = 0 if is_evaluation or members == ['lr'] else smooth
            _draw_panel(axes, logs, members, (is_evaluation, x, factor))
    figure.align_ylabels(rows)
    rows[-1].set_xlabel('epoch' if x == 'epoch' else 'iteration')
    save_figure(figure, path)


def _panels(logs: Sequence[Log], keys: Sequence[str]) -> list[tuple[bool, list[str]]]:
    trained, evaluated = _all_keys(logs, False), _all_keys(logs, True)
    losses = [key for key in keys if key in trained and 'loss' in key]
    others = [[key] for key in keys if key in trained and 'loss' not in key]
    metrics = [key for key in keys if key in evaluated]
    panels = [(False, members) for members in (losses, *others)] + [(True, metrics)]
    return [panel for panel in panels if panel[1]]


def _draw_panel(
    axes: Axes,
    logs: Sequence[Log],
    keys: Sequence[str],
    how: tuple[bool, str, float],
) -> None:
    """Draw scalars of all runs: a colour for each run, or of one run for each key."""
    is_evaluation, x, smooth = how
    alone = len(logs) == 1
    for number, log in enumerate(logs):
        for place, key in enumerate(keys):
            rows = log.having(key, is_evaluation)
            if rows:
                style = dict(
                    color=COLOURS[(place if alone else number) % len(COLOURS)],
                    linestyle=DASHES[0 if alone else place % len(DASHES)],
                    label=' · '.join(
                        [log.name] * (not alone) + [shown(key)] * (len(keys) > 1)
                    ),
                    # A point is no line, and evaluations are few.
                    marker='o' if is_evaluation or len(rows) == 1 else None,
                )
                places = [row.epoch if x == 'epoch' else row.iteration for row in rows]
                values = [row.values[key] for row in rows]
                _draw_curve(axes, places, values, smooth, style)
    axes.set_title('evaluation' if is_evaluation else 'training', loc='left', size=11)
    axes.set_ylabel(
        shown(keys[0]) if len(keys) == 1 else '' if is_evaluation else 'loss'
    )
    axes.grid(color='0.9', lw=0.8)
    axes.set_axisbelow(True)
    open_sides(axes)
    if len(logs) * len(keys) > 1:
        place = dict(loc='upper left', bbox_to_anchor=(1.01, 1))
        axes.legend(**place, frameon=False, fontsize=9)


def _draw_curve(
    axes: Axes,
    places: Sequence[float],
    values: Sequence[float],
    smooth: float,
    style: dict[str, Any],
) -> None:
    if smooth:
        axes.plot(places, values, color=style['color'], alpha=0.25, lw=1)
        values = smoothed(values, smooth)
    axes.plot(places, values, **style, ms=4)
