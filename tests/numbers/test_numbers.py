"""Numbers that hold: the same twice, and nearly the same in half the precision."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import random_shapes
import soak
import torch
from running import configure, forget_runs, narrow
from runs import CONFIG, options, write_people

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
    write_people(tmp_path / 'people', 6)
    config, curves = narrow(CONFIG, tmp_path), []
    for name, seed in (('one', 7), ('two', 7), ('other', 8)):
        settings = options(tmp_path / 'people', 2)
        settings += [f'randomness.seed={seed}']
        settings += [f'train_dataloader.num_workers={workers}']
        cfg = configure(config, tmp_path / name, *settings)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        train(cfg)
        forget_runs()
        curves.append(losses(tmp_path / name))
    assert len(curves[0]) == 6
    assert curves[0] == curves[1] != curves[2]


@pytest.fixture(scope='module')
def find_persons(repository, tinypose, shared_data):
    """A network with trained weights, a function for its AP, and the AP in float32."""
    coco = shared_data / 'coco_mini_val'
    annotations = coco / 'person_keypoints_val.json'
    persons = read_persons(annotations, coco / 'images')
    net = open_network([str(repository / TINYPOSE), str(tinypose)], device='cpu')

    def precision() -> float:
        return average_precision(net, annotations, persons)

    return net, precision, precision()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_finds_the_same_persons(find_persons, monkeypatch, dtype):
    net, precision, in_full_precision = find_persons
    backbone, head, kinds = net.model.extract_feat, net.model.head.forward, []

    def features(images):
        with torch.autocast('cpu', dtype=dtype):
            return backbone(images)

    def heatmaps(found):
        with torch.autocast('cpu', dtype=dtype):
            found = head(found)
        kinds.append(found.dtype)
        return found.float()  # MMPose decodes with NumPy

    monkeypatch.setattr(net.model, 'extract_feat', features)
    monkeypatch.setattr(net.model.head, 'forward', heatmaps)
    found = precision()
    print(f'AP {in_full_precision:.4f} in float32, {found:.4f} in {dtype}')
    assert set(kinds) == {dtype}
    assert in_full_precision > 0.6
    assert found == pytest.approx(in_full_precision, abs=0.005)


@pytest.mark.parametrize('arch', ARCHS)
def test_random_shapes(arch):
    done = random_shapes.run(arch, 20)
    assert {(batch, 32, 32) for batch in (1, 2, 3, 4)} < done
    assert len(done) == 8


def test_what_is_not_finite_is_found():
    net = random_shapes.LiteHRNet('naive-litehrnet-18')
    random_shapes.one_pass(net, (2, 32, 40), seed=0)
    net.stem.conv1.conv.weight.data[0] = float('nan')
    with pytest.raises(AssertionError, match='output 0 at'):
        random_shapes.one_pass(net, (2, 32, 40), seed=0)


def test_memory_counts_all_processes(tmp_path):
    script = tmp_path / 'hold.py'
    script.write_text(
        'import subprocess, sys\n'
        'held = bytes(range(256)) * 400_000\n'  # 100 MB
        'if len(sys.argv) < 2:\n'
        '    child = subprocess.Popen([sys.executable, __file__, "child"])\n'
        'print("ready", flush=True)\n'
        'sys.stdin.read()\n'
    )
    words = [sys.executable, str(script)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(words, **pipes) as run:
        for _ in range(2):
            assert run.stdout.readline() == 'ready\n'
        held = soak.memory(run.pid)
        run.stdin.close()
    assert 190 < held < 260
    assert soak.memory(run.pid) is None


def test_memory_that_grows_is_found():
    flat = [(step, 900 + step % 3) for step in range(1, 301)]
    assert soak.growth(soak.medians(flat, 300)) < 0.2
    leak = [(step, 900 + step * 0.1) for step in range(1, 301)]
    assert 2 < soak.growth(soak.medians(leak, 300)) < 3
    warm = [(step, 300 if step < 50 else 900) for step in range(1, 301)]
    assert soak.growth(soak.medians(warm, 300)) == 0


def test_a_short_soak(tmp_path):
    """Flat once it has evaluated: in the third of six parts, so short it is."""
    found = soak.soak(tmp_path, 60)
    assert len(found) == 5
    assert min(found) > 100
    assert soak.growth(found[1:]) < 2
