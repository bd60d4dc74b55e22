"""Hooks of MMEngine's runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from litehrnet_mm.engine.building import bare_model
from litehrnet_mm.files import write_whole
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
            text = json.dumps({k: float(v) for k, v in (metrics or {}).items()})
            write_whole(self.out_file, f'{text}\n'.encode())


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the backbone, for training and for evaluation.

    MMEngine's own setting ``compile`` compiles a whole step, with what prepares the
    batch and computes metrics, which PyTorch cannot take as one graph. The backbone is
    nearly all of the work, and is one.

    Args:
        **options: Those of ``torch.compile``, such as ``mode='max-autotune'``;
            ``fullgraph=True`` if not given.
    """

    priority = 'VERY_LOW'

    def __init__(self, **options: Any) -> None:
        self.options = {'fullgraph': True, **options}

    def before_run(self, runner: Runner) -> None:
        """Compile it in place: the names of parameters stay."""
        bare_model(runner).backbone.compile(**self.options)
