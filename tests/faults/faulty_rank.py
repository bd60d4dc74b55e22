"""A hook by which one of several processes meets a fault; a config imports it."""

import os
import signal

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class FaultyRank(Hook):
    """A fault of one process: its loss is NaN, or it alone is sent SIGTERM.

    Args:
        fault: ``'loss'``, ``'sigterm'`` or ``'evaluation'``: SIGTERM in it.
        rank: Of the process.
        moment: The iteration, of training or of the evaluation, counted from 0.
    """

    priority = 'HIGHEST'

    def __init__(self, fault: str, rank: int, moment: int) -> None:
        self.fault = fault if get_rank() == rank else ''
        self.moment = moment

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Spoil the loss, or send the signal."""
        if runner.iter == self.moment:
            if self.fault == 'loss':
                outputs['loss'] = outputs['loss'] * float('nan')
            if self.fault == 'sigterm':
                os.kill(os.getpid(), signal.SIGTERM)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        """Send the signal."""
        if self.fault == 'evaluation' and batch_idx == self.moment:
            os.kill(os.getpid(), signal.SIGTERM)
