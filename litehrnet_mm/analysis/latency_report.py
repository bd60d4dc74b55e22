"""Times as a table, as JSON and as a chart."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from litehrnet_mm.analysis.latency import Candidate
from litehrnet_mm.visualization.charts import COLOURS, open_sides, save_figure

OURS, OTHERS = COLOURS[0], '#9aa0a6'


def speed_ups(candidates: Sequence[Candidate]) -> list[float | None]:
    """How many times as fast each is as the first network on the same runtime."""
    reference = {c.runtime: c.median for c in candidates if c.net == candidates[0].net}
    found = []
    for candidate in candidates:
        base = reference.get(candidate.runtime.split(', ')[0])
        found.append(base / candidate.median if base else None)
    return found


def latency_table(candidates: Sequence[Candidate]) -> list[list[str]]:
    """Header and rows."""
    header = ['net', 'runtime', 'median ms', 'half lie within', 'times as fast']
    rows = [[*header, 'peak MB']]
    for candidate, ratio in zip(candidates, speed_ups(candidates)):
        low, high = candidate.quartiles
        rows.append(
            [
                candidate.net,
                candidate.runtime,
                f'{candidate.median:.1f}',
                f'{low:.1f} to {high:.1f}',
                f'{ratio:.2f}' if ratio else '',
                '' if candidate.memory is None else f'{candidate.memory / 1e6:.0f}',
            ]
        )
    return rows


def latency_data(
    candidates: Sequence[Candidate], settings: dict[str, Any]
) -> dict[str, Any]:
    """All times and where they were taken, for JSON."""
    timed = [
        dict(
            net=candidate.net,
            runtime=candidate.runtime,
            median_ms=candidate.median,
            quartiles_ms=candidate.quartiles,
            times_as_fast=ratio,
            peak_memory_bytes=candidate.memory,
            seconds=candidate.seconds,
        )
        for candidate, ratio in zip(candidates, speed_ups(candidates))
    ]
    gpu = torch.cuda.is_available() and torch.cuda.get_device_name()
    machine = dict(
        processor=platform.processor() or platform.machine(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        gpu=gpu or None,
        torch=torch.__version__,
    )
    return dict(settings=settings, machine=machine, timed=timed)


def draw_latency(candidates: Sequence[Candidate], title: str, path: Path) -> None:
    """Draw a bar for each, with the quartiles as a line.

    Args:
        candidates: The timed.
        title: Above the chart.
        path: A PNG.
    """
    ordered = list(reversed(candidates))
    figure = Figure(figsize=(9, 1.2 + 0.34 * len(ordered)), layout='constrained')
    axes = figure.add_subplot()
    medians = [candidate.median for candidate in ordered]
    spread = [candidate.quartiles for candidate in ordered]
    errors = [
        [median - low for median, (low, _) in zip(medians, spread)],
        [high - median for median, (_, high) in zip(medians, spread)],
    ]
    colours = [OURS if 'rewritten' in c.runtime else OTHERS for c in ordered]
    names = [f'{c.net} · {c.runtime}' for c in ordered]
    places = range(len(ordered))
    axes.barh(places, medians, color=colours, xerr=errors, ecolor='#444444')
    axes.set_yticks(places, names)
    for place, candidate in zip(places, ordered):
        text = f' {candidate.median:.1f}'
        axes.text(candidate.quartiles[1], place, text, va='center', fontsize=9)
    axes.set_xlabel('milliseconds (median; the line spans the middle half)')
    axes.set_title(title)
    axes.margins(x=0.1)
    open_sides(axes)
    save_figure(figure, path)
