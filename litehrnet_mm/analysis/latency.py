"""How long things take, beside each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

import torch

from litehrnet_mm.analysis.memory import peak_memory
from litehrnet_mm.cli import progress_bar

Run = Callable[[], object]


@dataclass
class Candidate:
    """Something to be timed.

    Attributes:
        net: What network it is.
        runtime: What computes it.
        run: One pass or step; whatever it returns is dropped.
        seconds: How long each timed pass took.
        memory: Bytes that the first pass took at its peak, if that is known.
    """

    net: str
    runtime: str
    run: Run
    seconds: list[float] = field(default_factory=list)
    memory: int | None = None

    @property
    def median(self) -> float:
        """In milliseconds."""
        return statistics.median(self.seconds) * 1e3

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between which half of the passes lie, in milliseconds."""
        low, _, high = statistics.quantiles(self.seconds, n=4, method='inclusive')
        return low * 1e3, high * 1e3


def time_interleaved(
    candidates: Sequence[Candidate], rounds: int, warm_up: int = 3
) -> None:
    """Run all candidates in turns, so that whatever disturbs meets all alike.

    A pass that is not timed comes before each that is: others have filled the caches,
    which they would not where one network runs all the time.

    Args:
        candidates: Their ``seconds`` get one entry a round, and they their ``memory``.
        rounds: Timed passes of each, at least 2.
        warm_up: Passes of each before, not timed; at least 1.
    """
    for candidate in candidates:
        candidate.memory = peak_memory(candidate.run)
        for _ in range(warm_up - 1):
            candidate.run()
    for _ in progress_bar(range(rounds), rounds, title='Rounds'):
        for candidate in candidates:
            candidate.run()
            candidate.seconds.append(time_once(candidate.run))


def time_once(run: Run) -> float:
    """Seconds of one pass; with a GPU, by its own clock and until it is done."""
    if torch.cuda.is_available():
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
