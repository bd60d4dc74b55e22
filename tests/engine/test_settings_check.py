"""Numbers and parts of a config that no run can have are named before it starts."""

from __future__ import annotations

import copy
import math
import re

import pytest
from mmengine.config import Config
from running import LITE_CONFIG

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.settings_check import PARTS, check_settings

SEG_CONFIG = 'configs/seg/custom/fcn_litehrnet-18_1xb8-20k_custom-512x512.py'


@pytest.fixture(scope='module')
def whole(repository) -> Config:
    """A config with all that training, validation and testing take."""
    return Config.fromfile(repository / LITE_CONFIG)


@pytest.fixture
def cfg(whole) -> Config:
    """A copy to spoil."""
    return copy.deepcopy(whole)


WRONG = {
    'train_dataloader.batch_size': (-1, 0, 1.5, True, None, '32', [32]),
    'val_dataloader.batch_size': (-1, 0),
    'train_dataloader.num_workers': (-1, 0.5, 'two', None),
    'val_dataloader.num_workers': (-1,),
    'optim_wrapper.optimizer.lr': (math.nan, math.inf, -1e-4, '1e-4', None),
    'optim_wrapper.optimizer.weight_decay': (math.nan, -1),
    'optim_wrapper.accumulative_counts': (0, 'x'),
    'randomness.seed': (-1, 2**40, 2**32, 0.5, '7'),
    'train_cfg.max_epochs': (-3, 0, 1.5, math.inf, 'ten', None),
    'train_cfg.max_iters': (0, -1, '2k'),
    'train_cfg.val_interval': (0, -1, math.nan, 'x'),
    'default_hooks.checkpoint.interval': (0, -2, 0.5, 'x', None),
    'default_hooks.logger.interval': (0, -1, 1.5, 'x'),
    'auto_scale_lr.base_batch_size': (0, -8),
}


@pytest.mark.parametrize(
    ('path', 'value'), [(path, x) for path, values in WRONG.items() for x in values]
)
def test_numbers_that_cannot_be_meant(cfg, path, value):
    cfg.merge_from_dict({path: value})
    said = rf'^{re.escape(path)} is .*{re.escape(str(value))}.*: give a .*--cfg-options'
    with pytest.raises(UserError, match=said) as refused:
        check_settings(cfg, ('train', 'val'))
    assert ('the text' in str(refused.value)) == isinstance(value, str)


@pytest.mark.parametrize(
    ('path', 'value'),
    [
        ('train_dataloader.num_workers', 0),
        ('optim_wrapper.optimizer.lr', 0),
        ('randomness.seed', 2**32 - 1),
        ('randomness.seed', None),
        ('train_cfg.max_epochs', 1e3),
        ('default_hooks.checkpoint.interval', -1),
        ('default_hooks.checkpoint', None),
        ('auto_scale_lr', None),
    ],
)
def test_numbers_that_can(cfg, path, value):
    cfg.merge_from_dict({path: value})
    before = cfg.pretty_text
    check_settings(cfg, ('train', 'val'))
    assert cfg.pretty_text == before
    cfg.merge_from_dict({path: 'x'})  # so it was looked at
    with pytest.raises(UserError, match=f'^{re.escape(path)} is the text x: '):
        check_settings(cfg, ('train', 'val'))


def test_only_what_runs_is_looked_at(cfg):
    cfg.train_dataloader.batch_size = cfg.train_cfg.val_interval = 0
    check_settings(cfg, ('test',))
    cfg.test_dataloader.batch_size = 0
    with pytest.raises(UserError, match='batch_size is 0'):
        check_settings(cfg, ('test',))
    cfg.train_dataloader.batch_size = 1
    check_settings(cfg, ('train',))
    with pytest.raises(UserError, match='val_interval is 0'):
        check_settings(cfg, ('train', 'val'))


@pytest.mark.parametrize('split', PARTS)
def test_parts_that_are_missing(cfg, split):
    for key in PARTS[split]:
        kept, cfg[key] = cfg[key], None
        others = ' and '.join(x for x in PARTS[split] if x != key)
        said = f'config .*{LITE_CONFIG} has no {key} beside {others}: '
        for running in (('train', 'val'), ('test',)):  # MMEngine wants it either way
            with pytest.raises(UserError, match=said):
                check_settings(cfg, running)
        cfg[key] = kept


def test_what_does_not_run_may_be_missing(cfg):
    for key in (*PARTS['val'], *PARTS['test']):
        cfg[key] = None
    check_settings(cfg, ('train',))
    with pytest.raises(UserError, match='no test_dataloader and no test_cfg'):
        check_settings(cfg, ('test',))


@pytest.mark.parametrize('path', ['optim_wrapper', 'randomness', 'train_cfg'])
@pytest.mark.parametrize('value', [5, 'x', [1, 2]])
def test_a_plain_value_in_the_place_of_settings(cfg, path, value):
    cfg[path] = value
    said = rf'^{path} is .*{re.escape(str(value))}: give a dict of settings'
    with pytest.raises(UserError, match=said):
        check_settings(cfg, ('train',))


def test_iterations_of_a_segmentation_config(repository):
    cfg = load_config(str(repository / SEG_CONFIG), {'train_cfg.max_iters': 0})
    with pytest.raises(UserError, match='max_iters is 0'):
        check_settings(cfg, ('train', 'val'))
