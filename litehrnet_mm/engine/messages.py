"""Messages of a run, in its log and on the screen."""

from __future__ import annotations

import logging
import os

from mmengine.dist import get_rank, is_distributed
from mmengine.logging import print_log


def say(text: str) -> None:
    """Log a line, once where there are several processes."""
    if _is_first():
        print_log(text, 'current')


def warn(text: str) -> None:
    """Log a warning, once where there are several processes."""
    if _is_first():
        print_log(text, 'current', logging.WARNING)


def _is_first() -> bool:
    # What torchrun says counts as long as processes do not know each other yet.
    rank = get_rank() if is_distributed() else int(os.environ.get('RANK', 0))
    return rank == 0
