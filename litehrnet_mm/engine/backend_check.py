"""Whether what a config logs to is installed."""

from __future__ import annotations

from importlib.util import find_spec

from mmengine.config import Config

from litehrnet_mm.cli import UserError


def check_backends(cfg: Config) -> None:
    """Check that TensorBoard is there if the config logs to it.

    Raises:
        UserError: If it is not.
    """
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or ()
    kinds = [backend.get('type') for backend in backends]
    if 'TensorboardVisBackend' in kinds and find_spec('tensorboard') is None:
        raise UserError(
            'visualizer.vis_backends has TensorboardVisBackend, and TensorBoard is not '
            'installed: pip install tensorboard, or take the backend out'
        )
