"""What the demos share: the tools one after another, each command shown."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from litehrnet_mm.cli import UserError


@dataclass(frozen=True)
class Demo:
    """A config from data to metrics, by the commands that a user would type.

    Attributes:
        config: The config's file.
        variable: Environment variable by which the config finds its data.
        data: Folder of the data.
        work: Folder for all that the demo writes but the data.
    """

    config: str
    variable: str
    data: Path
    work: Path
    start: float = field(default_factory=time.monotonic)

    def run(self, title: str, *command: str) -> None:
        """Show a command and run it; its output stays visible.

        Raises:
            UserError: If it fails.
        """
        print(f'\n== {title}\n$ python {shlex.join(command)}', flush=True)
        env = {**os.environ, self.variable: str(self.data)}
        status = subprocess.run([sys.executable, *command], env=env).returncode
        if status:
            script = command[0]
            raise UserError(f'the demo stopped: python {script} ended with {status}')

    def train(self) -> str:
        """Train without validation; the path of the last checkpoint."""
        self.run(
            'Training Lite-HRNet-18 from nothing',
            *('tools/train.py', self.config, '--work-dir', str(self.work)),
            '--no-validate',
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
        """Since the demo began."""
        return (time.monotonic() - self.start) / 60
