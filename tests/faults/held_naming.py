"""Holds a run for a second where ``last_checkpoint`` is to get its name.

A config imports it, so that a kill between the names of a checkpoint and of that file,
a moment of milliseconds, can be met.
"""

import time

from litehrnet_mm.engine import checkpointing

_name_part = checkpointing.name_part


def _name_later(path):
    time.sleep(1)
    _name_part(path)


checkpointing.name_part = _name_later
