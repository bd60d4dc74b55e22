"""Messages of a run, in its log and on the screen."""

from __future__ import annotations

import logging

from mmengine.dist import is_main_process
from mmengine.logging import print_log


def say(text: str) -> None:
    """Log a line, once where there are several processes."""
    if is_main_process():
        print_log(text, 'current')


def warn(text: str) -> None:
    """Log a warning, once where there are several processes."""
    if is_main_process():
        print_log(text, 'current', logging.WARNING)
