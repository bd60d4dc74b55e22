"""Hooks of MMEngine's runner."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

from litehrnet_mm.registry import HOOKS


@HOOKS.register_module()
class SaveMetricsHook(Hook):
    """Write the metrics of a test as JSON.

    Args:
        out_file: The file to write.
    """

    priority = 'VERY_LOW'

    def __init__(self, out_file: str) -> None:
        self.out_file = Path(out_file)

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Write ``metrics``, on one process only."""
        if runner.rank == 0:
            self.out_file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({k: float(v) for k, v in (metrics or {}).items()})
            self.out_file.write_text(text + '\n', encoding='utf-8')
