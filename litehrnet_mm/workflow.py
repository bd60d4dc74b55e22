"""A config from data to metrics, by the commands that a user would type."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litehrnet_mm.checking.coco_file import read_json
from litehrnet_mm.cli import UserError
from litehrnet_mm.values import is_number


def read_record(path: Path) -> dict[str, Any]:
    """Read what tools/compare_training.py wrote of a training that was finished.

    Args:
        path: Its ``comparison.json``.

    Returns:
        ``text``, the config's content; ``metrics`` by name, and ``minutes``.

    Raises:
        UserError: If it cannot be read, or something is not there or something else.
    """
    found = read_json(path, 'record')
    kinds = dict(text=str, metrics=dict, minutes=(int, float))
    if not isinstance(found, dict):
        found = {}
    wrong = [key for key, kind in kinds.items() if not isinstance(found.get(key), kind)]
    if not wrong and not is_number(found['minutes']):
        wrong = ['minutes']
    metrics = found.get('metrics')
    if not wrong and not all(
        name.isprintable() and is_metric(value) for name, value in metrics.items()
    ):
        wrong = ['metrics']
    if wrong:
        raise UserError(
            f'record {path} is damaged: {wrong[0]} is missing or of another kind; '
            'remove the file to train and evaluate anew'
        )
    return found


def is_metric(value: Any) -> bool:
    """Whether a value can be one of a metric: a number, and NaN where there is none."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return is_nan or is_number(value)


@dataclass(frozen=True)
class Workflow:
    """Tools of this project one after another, each command shown.

    Attributes:
        config: The config's file.
        work: Folder for all that training and evaluation write.
        env: Environment variables beside those that are set, e.g. where the data are.
        start: When it began, on the clock of ``time.monotonic``.
    """

    config: str
    work: Path
    env: Mapping[str, str] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    def run(self, title: str, *command: str) -> None:
        """Show a command and run it; its output stays visible.

        Raises:
            UserError: If it fails.
        """
        print(f'\n== {title}\n$ python {shlex.join(command)}', flush=True)
        env = {**os.environ, **self.env}
        status = subprocess.run([sys.executable, *command], env=env).returncode
        if status:
            raise UserError(f'stopped: python {command[0]} ended with status {status}')

    def train(self, title: str, *options: str) -> str:
        """Train without validation; the path of the last checkpoint.

        Args:
            title: What to announce.
            *options: More options of ``tools/train.py``.
        """
        self.run(
            title,
            *('tools/train.py', self.config, '--work-dir', str(self.work)),
            *('--no-validate', *options),
        )
        return (self.work / 'last_checkpoint').read_text().strip()

    def evaluate(self, title: str, checkpoint: str, *options: str) -> dict[str, float]:
        """Evaluate a checkpoint; its metrics.

        Args:
            title: What to announce.
            checkpoint: Path of the weights.
            *options: More options of ``tools/test.py``.
        """
        metrics = self.work / 'metrics.json'
        self.run(
            title,
            *('tools/test.py', self.config, checkpoint, '--work-dir', str(self.work)),
            *('--metrics', str(metrics), *options),
        )
        return json.loads(metrics.read_text())

    def minutes(self) -> float:
        """Since it began."""
        return (time.monotonic() - self.start) / 60
