"""What a resumed run draws again, and which images it goes on with."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from running import forget_runs
from torch import Tensor, nn

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.engine.resuming import COURSE, ReseedHook, SkipSeenHook


def draw(seed: int, iteration: int) -> tuple[float, float, float]:
    """What is drawn for images, by either library, and in the network."""
    runner = SimpleNamespace(iter=iteration)
    hook = ReseedHook(seed)
    hook.before_train_epoch(runner)
    hook.before_train_iter(runner, 0)
    return random.random(), np.random.rand(), torch.rand(1).item()


@pytest.mark.parametrize('iteration', [0, 9])
def test_what_is_drawn_depends_on_the_seed(iteration):
    first, again, other = (draw(seed, iteration) for seed in (7, 7, 8))
    assert first == again
    assert all(x != y for x, y in zip(first, other))


def test_without_a_seed_of_its_own_that_of_the_run_counts():
    numbers = [np.random.rand() for _ in _reseeded(ReseedHook(), seeds=(7, 7, 8))]
    (given,) = [np.random.rand() for _ in _reseeded(ReseedHook(7), seeds=(9,))]
    assert numbers[0] == numbers[1] == given != numbers[2]


def _reseeded(hook: ReseedHook, seeds: tuple[int, ...]):
    for seed in seeds:
        hook.before_train_epoch(SimpleNamespace(iter=0, seed=seed))
        yield


class Net(BaseModel):
    """A net of one number, for images of one."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, inputs: list[Tensor], mode: str) -> dict[str, Tensor]:
        """The loss."""
        return dict(loss=self.factor * sum(inputs))


class Seen(Hook):
    """Note the images of each batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Note them."""
        self.batches.append([int(x) for x in data_batch['inputs']])


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Train for two epochs or 12 iterations: the images of each batch.

    Checkpoints are ``iter_4.pth``, ``iter_8.pth`` and so on.
    """
    # MMEngine waits for 2 s after each round through the images, for other processes.
    monkeypatch.setattr('mmengine.runner.loops.time', SimpleNamespace(sleep=int))

    def run(
        resume: Path | None = None,
        by_epoch: bool = True,
        images: int = 6,
        hooks: int = 1,
        randomness: dict | None = None,
        **loader: object,
    ) -> list[list[int]]:
        forget_runs()
        seen = Seen()
        data = [dict(inputs=torch.tensor(float(number))) for number in range(images)]
        kind = loader.pop('sampler', 'DefaultSampler')
        loader = dict(dict(batch_size=1, num_workers=0), **loader)
        length = dict(max_epochs=2) if by_epoch else dict(max_iters=12)
        saving = dict(type='CheckpointHook', by_epoch=False, interval=4)
        Runner(
            Net(),
            str(tmp_path),
            train_dataloader=dict(dataset=data, sampler=dict(type=kind), **loader),
            train_cfg=dict(by_epoch=by_epoch, **length),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3)),
            default_hooks=dict(checkpoint=saving),
            custom_hooks=[*(SkipSeenHook() for _ in range(hooks)), seen],
            randomness=randomness or dict(seed=None),
            resume=resume is not None,
            load_from=resume and str(resume),
        ).train()
        return seen.batches

    yield run
    forget_runs()


KINDS = {
    'epochs': dict(by_epoch=True),
    'iterations': dict(by_epoch=False),
    'without end': dict(by_epoch=False, sampler='InfiniteSampler'),
}
kinds = pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)


@kinds
@pytest.mark.parametrize('diff_rank_seed', [False, True])
def test_without_a_seed_the_order_stays(train, tmp_path, kind, diff_rank_seed):
    """That of the run is drawn, and MMEngine knows it only after its sampler does."""
    randomness = dict(seed=None, diff_rank_seed=diff_rank_seed)
    alone = train(**kind, randomness=randomness)
    rest = train(tmp_path / 'iter_8.pth', **kind, randomness=randomness)
    assert rest == alone[8:]


@kinds
@pytest.mark.parametrize('workers', [0, 1])
def test_images_are_left_out_once(train, tmp_path, kind, workers):
    """A config that a run wrote may have the hook twice."""
    alone = train(**kind)
    rest = train(tmp_path / 'iter_8.pth', **kind, hooks=2, num_workers=workers)
    assert rest == alone[8:]


@kinds
@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(images=5), '5 images, 3 batches of 2 in 1 process'),
        (dict(images=6, batch_size=3), '6 images, 2 batches of 3 in 1 process'),
    ],
    ids=['images', 'batch'],
)
def test_other_images_start_anew(train, tmp_path, capsys, kind, change, words):
    """Also if they make as many batches."""
    given = dict(kind, batch_size=2, randomness=dict(seed=0))
    train(**given, images=6)
    capsys.readouterr()
    rest = train(tmp_path / 'iter_4.pth', **{**given, **change})
    said = capsys.readouterr().out
    anew = train(**{**given, **change})
    assert words in said
    assert '6 images, 3 batches of 2 in 1 process' in said
    if kind['by_epoch']:
        assert 'epoch 2 starts anew' in said
        assert rest == anew[len(anew) // 2 :]
    else:
        assert 'the images start anew' in said
        assert rest == anew[: len(rest)]


def test_what_started_anew_goes_on(train, tmp_path):
    given = dict(by_epoch=False, randomness=dict(seed=0))
    train(**given)
    rest = train(tmp_path / 'iter_4.pth', **given, images=5)
    assert train(tmp_path / 'iter_8.pth', **given, images=5) == rest[4:]


def test_a_checkpoint_that_does_not_tell_what_was_seen(train, tmp_path, capsys):
    """Of MMEngine's own hooks."""
    given = dict(randomness=dict(seed=0))
    train(**given)
    alone = train(**given, hooks=0)
    assert COURSE not in _known(tmp_path / 'iter_8.pth')
    said = 'epoch 2 starts at its first image'
    assert said not in capsys.readouterr().out
    rest = train(tmp_path / 'iter_8.pth', **given)
    assert rest[:6] == alone[6:]
    assert said in capsys.readouterr().out


def _known(path: Path) -> dict:
    return read_checkpoint(str(path))['message_hub']['runtime_info']
