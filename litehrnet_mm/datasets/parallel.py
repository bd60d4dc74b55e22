"""An ordered map over one or several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Callable

import cv2


@contextmanager
def mapper(workers: int) -> Iterator[Callable]:
    """An ordered ``map``, in this process or in several."""
    if workers == 1:
        yield map
        return
    with multiprocessing.get_context('spawn').Pool(workers, _one_thread) as pool:
        yield partial(pool.imap, chunksize=8)


def _one_thread() -> None:
    cv2.setNumThreads(1)
