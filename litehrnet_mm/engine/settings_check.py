"""Whether the parts and the numbers of a config can be those of a run.

MMEngine and PyTorch find some of these mistakes late, some with a traceback that does
not name the setting, and some, as an interval of 0 between checkpoints, never.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from mmengine.config import Config

from litehrnet_mm.cli import UserError
from litehrnet_mm.values import shown

PARTS = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
"""What MMEngine takes together or not at all, even of what does not run."""


@dataclass(frozen=True)
class Rule:
    """What a number has to be.

    Attributes:
        words: The rule in words.
        holds: Whether a number keeps it; it is given finite numbers only.
        optional: Whether ``None`` is right, too.
    """

    words: str
    holds: Callable[[float], bool]
    optional: bool = False

    def allows(self, value: Any) -> bool:
        """Whether a value of any type is right."""
        if value is None:
            return self.optional
        is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_one and -math.inf < value < math.inf and self.holds(value)


# MMEngine takes 1e5 iterations, PyTorch no batch of 32.0 images.
COUNT = Rule('a whole number of at least 1', lambda x: type(x) is int and x >= 1)
LENGTH = Rule('a whole number of at least 1', lambda x: x == int(x) and x >= 1)
WORKERS = Rule('a whole number of at least 0', lambda x: type(x) is int and x >= 0)
RATE = Rule('a finite number of at least 0', lambda x: x >= 0)
SAVING = Rule(
    'a whole number of at least 1, or -1 for never',
    lambda x: x == int(x) and (x >= 1 or x == -1),
)
SEED = Rule(
    'a whole number from 0 to 2**32 - 1, or None',
    lambda x: type(x) is int and 0 <= x < 2**32,
    optional=True,
)

ALWAYS = {'randomness.seed': SEED, 'default_hooks.logger.interval': COUNT}
OF_LOADERS = {'batch_size': COUNT, 'num_workers': WORKERS}
OF_TRAINING = {
    'train_cfg.max_epochs': LENGTH,
    'train_cfg.max_iters': LENGTH,
    'optim_wrapper.optimizer.lr': RATE,
    'optim_wrapper.optimizer.weight_decay': RATE,
    'optim_wrapper.accumulative_counts': COUNT,
    'default_hooks.checkpoint.interval': SAVING,
    'auto_scale_lr.base_batch_size': COUNT,
}
OF_VALIDATION = {'train_cfg.val_interval': LENGTH}


def check_settings(cfg: Config, splits: Sequence[str]) -> None:
    """Check that a config has the parts of a run, and numbers that make sense.

    Args:
        cfg: The whole config.
        splits: Which of ``'train'``, ``'val'``, ``'test'`` will run.

    Raises:
        UserError: For the first part that is missing, or number that cannot be meant.
    """
    for split in PARTS:
        check_parts(cfg, split, needed=split in splits)
    for path, rule in _rules(splits):
        for value in _values(cfg, path):
            if not rule.allows(value):
                raise UserError(
                    f'{path} is {_described(value)}: give {rule.words}, in the config '
                    'or by --cfg-options'
                )


def check_parts(cfg: Config, split: str, needed: bool = True) -> None:
    """Check that a config has all that training, validation or testing takes.

    Args:
        cfg: The whole config.
        split: ``'train'``, ``'val'`` or ``'test'``.
        needed: Whether it will run; if not, the config may do without all of it.

    Raises:
        UserError: For the first part that is missing, or no part but a plain value.
    """
    for key in PARTS[split]:
        _refuse_plain(key, cfg.get(key), (str, int, float))
    lacking = [key for key in PARTS[split] if cfg.get(key) is None]
    if not lacking or (not needed and len(lacking) == len(PARTS[split])):
        return
    found = [key for key in PARTS[split] if key not in lacking]
    beside = f' beside {" and ".join(found)}' if found else ''
    raise UserError(
        f'config {cfg.filename} has no {" and no ".join(lacking)}{beside}: add it, or '
        'inherit it by _base_'
    )


def _rules(splits: Sequence[str]) -> Iterator[tuple[str, Rule]]:
    yield from ALWAYS.items()
    for split in splits:
        for key, rule in OF_LOADERS.items():
            yield f'{split}_dataloader.{key}', rule
    if 'train' in splits:
        yield from OF_TRAINING.items()
    if 'train' in splits and 'val' in splits:
        yield from OF_VALIDATION.items()


def _values(cfg: Config, path: str) -> Iterator[Any]:
    """The value at a path of a config, if it has one.

    Raises:
        UserError: If there is a plain value on the way where settings are expected.
    """
    node: Any = cfg
    way = path.split('.')
    for depth, key in enumerate(way):
        _refuse_plain('.'.join(way[:depth]), node, (str, int, float, list, tuple))
        if not isinstance(node, (Config, Mapping)) or key not in node:
            return
        node = node[key]
    yield node


def _refuse_plain(path: str, node: Any, kinds: tuple[type, ...]) -> None:
    if isinstance(node, kinds):
        raise UserError(
            f'{path} is {_described(node)}: give a dict of settings, in the config or '
            'by --cfg-options'
        )


def _described(value: Any) -> str:
    """A value for a message; a text is said to be one, since it may look like none."""
    return f'the text {shown(value)}' if isinstance(value, str) else shown(value)
