"""Loading of checkpoints whose keys are those of older projects."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from litehrnet_mm.checkpoints.keys import current_keys


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
