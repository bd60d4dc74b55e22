"""Loading of checkpoints, also of those whose keys are of older projects."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from litehrnet_mm.checkpoints.compare import check_fits
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.checkpoints.keys import current_keys
from litehrnet_mm.checkpoints.targets import name_of
from litehrnet_mm.engine.building import build_model


def load_model(cfg: Config, path: str, checkpoint: str | None) -> nn.Module:
    """The model of a config with trained weights, in evaluation mode.

    Args:
        cfg: The config.
        path: Its file, for messages.
        checkpoint: The weights' file; without it they are random.

    Raises:
        UserError: If the model cannot be built, or the checkpoint does not fit.
    """
    model = build_model(cfg, path)
    if checkpoint is not None:
        content = read_checkpoint(checkpoint)
        check_fits(checkpoint, content, model, hint=name_of, listing=False)
        weights = current_keys(content['state_dict'], checkpoint)
        model.load_state_dict(weights, strict=False)  # what differs may: checked
    return model.eval()


class CurrentKeysHook(Hook):
    """Give a checkpoint the keys it was checked under, before it is loaded.

    MMPose renames ``keypoint_head`` by itself, but goes by version numbers that a file
    may lack or have wrong. With this hook what is loaded is what
    :func:`~litehrnet_mm.checkpoints.compare.check_fits` has compared.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Rename the entries of ``checkpoint``, in place, as MMEngine's hooks do."""
        weights = checkpoint.get('state_dict', checkpoint)
        renamed = current_keys(weights, str(runner._load_from))
        if renamed.keys() == weights.keys():
            return  # and its version numbers stay with it
        if weights is checkpoint:
            checkpoint.clear()
        checkpoint['state_dict'] = renamed
