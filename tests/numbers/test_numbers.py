"""Numbers that hold: the same twice, and nearly the same in half the precision."""

import json
from pathlib import Path

import pytest
import random_shapes
import torch
from kill_and_resume import CONFIG, command
from running import configure, forget_runs

from litehrnet_mm.datasets import make_people
from litehrnet_mm.engine.launch import train
from litehrnet_mm.evaluation.coco_keypoints import average_precision, read_persons
from litehrnet_mm.models.arch import ARCHS
from litehrnet_mm.prediction.networks import open_network

TINYPOSE = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'


def losses(folder: Path) -> list[float]:
    """What a run logged, iteration by iteration."""
    (path,) = folder.glob('*/vis_data/scalars.json')
    return [json.loads(line)['loss'] for line in path.read_text().splitlines()]


@pytest.mark.parametrize('workers', [0, 2])
def test_the_same_command_gives_the_same_curve(
    repository, tmp_path, monkeypatch, workers
):
    monkeypatch.chdir(repository)
    make_people(tmp_path / 'data/train', 6, seed=0, persons=(1, 1))
    curves = []
    for name, seed in (('one', 7), ('two', 7), ('other', 8)):
        words = command(tmp_path / 'data', tmp_path / name, 2)
        options = words[words.index('--cfg-options') + 1 :]
        options += [f'randomness.seed={seed}', 'randomness.deterministic=False']
        options += [f'train_dataloader.num_workers={workers}']
        cfg = configure(Path(CONFIG), tmp_path / name, *options)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        train(cfg)
        forget_runs()
        curves.append(losses(tmp_path / name))
    assert len(curves[0]) == 6
    assert curves[0] == curves[1] != curves[2]


def test_float16_finds_the_same_persons(repository, tinypose, shared_data):
    coco = shared_data / 'coco_mini_val'
    annotations = coco / 'person_keypoints_val.json'
    persons = read_persons(annotations, coco / 'images')
    net = open_network([str(repository / TINYPOSE), str(tinypose)], device='cpu')
    features, kinds = net.model.extract_feat, set()

    def in_float16(images):
        with torch.autocast('cpu', dtype=torch.float16):
            found = features(images)
        kinds.update(x.dtype for x in found)
        return tuple(x.float() for x in found)  # MMPose decodes with NumPy

    net.model.extract_feat = in_float16
    found = average_precision(net, annotations, persons)
    assert kinds == {torch.float16}
    assert found == pytest.approx(0.6607, abs=0.005)


@pytest.mark.parametrize('arch', ARCHS)
def test_random_shapes(arch):
    random_shapes.run(arch, 20)


def test_what_is_not_finite_is_found():
    net = random_shapes.LiteHRNet('naive-litehrnet-18')
    random_shapes.one_pass(net, (2, 32, 40), seed=0)
    net.stem.conv1.conv.weight.data[0] = float('nan')
    with pytest.raises(AssertionError, match='output 0 at'):
        random_shapes.one_pass(net, (2, 32, 40), seed=0)
