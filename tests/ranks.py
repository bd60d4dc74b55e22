"""A hook that notes what each of several processes sees; a config imports it."""

import json
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS


@HOOKS.register_module()
class NoteRank(Hook):
    """Write images, losses and weights of each process into a folder."""

    def __init__(self, folder: str) -> None:
        self.file = Path(folder) / f'rank_{get_rank()}'
        self.steps: list[dict] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Note a step."""
        images = [sample.img_id for sample in data_batch['data_samples']]
        self.steps.append(dict(images=images, loss=outputs['loss'].item()))

    def after_train(self, runner):
        """Write what was noted, and the weights."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        self.file.with_suffix('.json').write_text(json.dumps(self.steps))
        torch.save(dict(model.named_parameters()), self.file.with_suffix('.pth'))
