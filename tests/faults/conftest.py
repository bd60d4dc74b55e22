"""What the tests of faults share."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Callable

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from nets import tiny_extra
from running import configure, forget_runs
from runs import CONFIG, options, write_people

from litehrnet_mm.engine.launch import train


@pytest.fixture(scope='session')
def people(tmp_path_factory) -> Path:
    """Four images with a person each to train on, two to evaluate on."""
    root = tmp_path_factory.mktemp('people')
    write_people(root)
    return root


@pytest.fixture(autouse=True)
def sigterm_as_before():
    """A run that ended at SIGTERM minds no further one."""
    former = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, former)


@pytest.fixture
def prepare(repository, people, monkeypatch) -> Callable[..., Config]:
    """The config of a run of a small net in this process, as ``runs.options`` says."""
    monkeypatch.chdir(repository)

    def prepared(work: Path, length: int, **kind: bool) -> Config:
        cfg = configure(Path(CONFIG), work, *options(people, length, **kind))
        cfg.model.backbone.arch = tiny_extra()
        cfg.model.head.in_channels = 8
        if not kind.get('evaluate'):
            cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        return cfg

    yield prepared
    forget_runs()


@pytest.fixture
def watch() -> Callable[..., None]:
    """Have a function called by a run: ``watch(cfg, 'after_train_iter', function)``."""

    def add(cfg: Config, moment: str, function: Callable, priority='HIGHEST') -> None:
        def call(self, runner: object, **given: object) -> None:
            function(runner, **given)

        kind = type(f'Watch{moment}', (Hook,), {moment: call})
        HOOKS.register_module(name=kind.__name__, module=kind, force=True)
        hook = dict(type=kind.__name__, priority=priority)
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]

    return add


@pytest.fixture
def resume() -> Callable[[Config], None]:
    """Go on with a run, or begin it, in this process."""

    def run(cfg: Config) -> None:
        forget_runs()
        cfg.resume, cfg.load_from = True, None
        train(cfg)

    return run
