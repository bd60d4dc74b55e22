"""What MIM does with the package, installed from a wheel outside the repository."""

import os

import pytest
from packing import copy_sources, fresh_environment, pip_wheel, run

CONFIG = 'td-hm_litehrnet-18_1xb32-6e_synthetic-128x96'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SMALL = (
    *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=4'),
    *(f'{loader}.num_workers=0' for loader in LOADERS),
    *(f'{loader}.persistent_workers=False' for loader in LOADERS),
)


@pytest.fixture(scope='module')
def mim(repository, tmp_path_factory):
    """Run MIM in a folder with a few people, knowing the installed wheel alone."""
    folder = tmp_path_factory.mktemp('mim')
    wheel = pip_wheel(copy_sources(repository, folder / 'source'), folder)
    python = fresh_environment(folder / 'environment', wheel)
    env = {key: x for key, x in os.environ.items() if key != 'PYTHONPATH'}
    (folder / 'work').mkdir()

    def call(*command: str) -> str:
        return run(
            *('-W', 'ignore', '-m', 'mim', *command),
            cwd=folder / 'work',
            python=python,
            env=env,
        )

    call.folder = folder / 'work'
    call.python = python
    where = run('-c', 'import litehrnet_mm as m; print(m.__file__)', cwd=folder,
                python=python, env=env)  # fmt: skip
    assert str(folder / 'environment') in where
    for split in ('train', 'val'):
        people = (f'data/synthetic_people/{split}', '--images', '4')
        call('run', 'litehrnet_mm', 'make_synthetic', 'people', *people)
    return call


def test_train_and_test(mim):
    said = mim('train', 'litehrnet_mm', f'{CONFIG}.py', '--work-dir', 'own', *SMALL)
    assert 'Training finished successfully' in said
    checkpoint = mim.folder / 'own/epoch_1.pth'
    assert checkpoint.is_file()
    said = mim(
        *('test', 'litehrnet_mm', f'{CONFIG}.py', '--checkpoint', str(checkpoint)),
        *('--metrics', 'metrics.json', *SMALL),
    )
    assert 'Testing finished successfully' in said
    assert 'coco/AP' in (mim.folder / 'metrics.json').read_text()


def test_mmpose_trains_our_config(mim):
    (config,) = (mim.python.parents[1]).glob(f'lib/*/*/litehrnet_mm/**/{CONFIG}.py')
    said = mim('train', 'mmpose', str(config), '--work-dir', 'theirs', *SMALL)
    assert 'mmpose/.mim/tools/train.py' in said
    assert (mim.folder / 'theirs/epoch_1.pth').is_file()


def test_the_model_index(mim):
    name = 'td-hm_litehrnet-18_8xb64-210e_coco-256x192'
    weights = 'litehrnet18_coco_256x192-6bace359_20211230.pth'
    assert name in mim('search', 'litehrnet_mm', '--field', 'weight')
    # MIM does not load what is there, and so needs no network here.
    (mim.folder / weights).touch()
    said = mim('download', 'litehrnet_mm', '--config', name, '--dest', '.')
    assert f'{weights} exists' in said
    text = (mim.folder / f'{name}.py').read_text()
    assert "type='litehrnet_mm.LiteHRNet'" in text
    assert '_base_' not in text
