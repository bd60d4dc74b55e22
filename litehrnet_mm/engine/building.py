"""The model that a config describes, without weights."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from litehrnet_mm.cli import UserError, one_line

# Weights to start from, under their names in OpenMMLab 2.x and 1.x.
WEIGHTS = ('init_cfg', 'pretrained')


def build_model(cfg: Config, path: str) -> nn.Module:
    """Build the model of a config with fresh weights; nothing is downloaded.

    Args:
        cfg: The config.
        path: Its file, for messages.

    Raises:
        UserError: If the config has no model, or it cannot be built.
    """
    if 'model' not in cfg:
        raise UserError(f'config {path} has no model')
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
            return MODELS.build(ConfigDict(_without_weights(cfg.model.to_dict())))
    except Exception as error:  # whatever a constructor finds wrong
        raise UserError(
            f'the model of config {path} cannot be built: {one_line(error)}'
        ) from error


def _without_weights(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _without_weights(v) for k, v in node.items() if k not in WEIGHTS}
    if isinstance(node, (list, tuple)):
        return type(node)(_without_weights(item) for item in node)
    return node


def bare_model(runner: Runner) -> nn.Module:
    """A runner's model without what is around it: distribution, augmentation."""
    model = runner.model
    # MMEngine looks through both as well when it loads a checkpoint.
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def default_device() -> str:
    """Where to compute if nothing is said: on a GPU if there is one."""
    return 'cuda' if torch.cuda.is_available() else 'cpu'
