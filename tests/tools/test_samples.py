"""Two epochs on a few real images: written, resumed, evaluated in every way."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from running import scalars

COCO = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
MPII = 'configs/pose/mpii/td-hm_naive-litehrnet-18_8xb32-210e_mpii-256x256.py'
PERSONS = {Path(COCO).name: 12, Path(MPII).name: 5}
SHORT = [
    'train_dataloader.batch_size=3',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'train_cfg.val_interval=2',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=1',
]


# So short a training finds no joint to within half a head. The mean distance in pixels,
# which EPE measures on the boxes of the annotations, is some number all the same.
WITH_EPE = """
_base_ = '{repository}/{config}'
val_dataloader = dict(dataset=dict(bbox_file=None))
test_dataloader = val_dataloader
val_evaluator = [_base_.val_evaluator, dict(type='EPE')]
test_evaluator = val_evaluator
"""


@pytest.fixture(scope='module', params=[COCO, MPII], ids=['coco', 'mpii'])
def trained(request, run_tool, repository, pose_roots, tmp_path_factory):
    """Config, work folder after two epochs, and what the tool said."""
    work = tmp_path_factory.mktemp('work')
    config = work / Path(request.param).name
    text = WITH_EPE.format(repository=repository, config=request.param)
    config.write_text(text.replace('bbox_file=None', '') if 'mpii' in text else text)
    done = run_tool(
        'train.py', config, '--work-dir', work / 'run', '--cfg-options', *SHORT,
        'train_cfg.max_epochs=2', env=pose_roots,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return config, work / 'run', done.stdout + done.stderr


def test_two_epochs_are_trained_and_written(trained):
    config, work, output = trained
    losses = [float(x) for x in re.findall(r'Epoch\(train\).*? loss: ([\d.]+)', output)]
    assert len(losses) == 2 * math.ceil(PERSONS[config.name] / 3)
    assert np.isfinite(losses).all()
    assert (work / 'epoch_1.pth').is_file()
    assert (work / 'last_checkpoint').read_text().endswith('epoch_2.pth')


def test_a_third_epoch_is_resumed(trained, run_tool, pose_roots, tmp_path):
    config, work, _ = trained
    done = run_tool(
        'train.py', config, '--work-dir', tmp_path, '--resume', work / 'epoch_2.pth',
        '--no-validate', '--cfg-options', *SHORT, 'train_cfg.max_epochs=3',
        env=pose_roots,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert 'resumed epoch: 2' in output
    assert set(re.findall(r'Epoch\(train\) +\[(\d+)\]', output)) == {'3'}
    assert (tmp_path / 'epoch_3.pth').is_file()


def metrics_of(out: Path) -> dict[str, float]:
    return json.loads(out.read_text())


def test_it_is_evaluated_as_while_training(trained, run_tool, pose_roots, tmp_path):
    config, work, _ = trained
    while_training = scalars(work)
    out = tmp_path / 'metrics.json'
    done = run_tool(
        'test.py', config, work / 'epoch_2.pth', '--work-dir', tmp_path, '--out', out,
        '--cfg-options', *SHORT, env=pose_roots,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = metrics_of(out)
    assert metrics['EPE'] > 1
    keys = {'PCK', 'PCK@0.1'} if config.name == Path(MPII).name else {'coco/AP'}
    for key in {'EPE', *keys}:
        assert metrics[key] == pytest.approx(while_training[key], rel=1e-5)


# -------------------------- boxes and flips, with weights that know what a person is


@pytest.fixture
def evaluate(call_tool, tinypose, pose_data, tmp_path):
    """Evaluate PP-TinyPose with options; its metrics."""
    config = COCO.replace('litehrnet-18', 'wider-naive-litehrnet-18')

    def run(*options: str) -> dict[str, float]:
        out = tmp_path / 'metrics.json'
        done = call_tool(
            'test.py', config, tinypose, '--work-dir', tmp_path, '--out', out,
            '--cfg-options', 'test_dataloader.num_workers=0', *options,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return metrics_of(out)

    return run


def test_boxes_of_a_detector_and_of_the_annotations(evaluate):
    """Both find most of the twelve persons of four images; only how well differs."""
    detected = evaluate()
    annotated = evaluate('test_dataloader.dataset.bbox_file=None')
    assert detected['coco/AP'] > 0.5
    assert annotated['coco/AP'] > 0.5
    assert detected != annotated


def test_flip_test_on_and_off(evaluate):
    ground_truth = 'test_dataloader.dataset.bbox_file=None'
    flipped = evaluate(ground_truth)
    plain = evaluate(ground_truth, 'model.test_cfg.flip_test=False')
    assert plain['coco/AP'] > 0.5
    assert plain != flipped


def test_own_keypoints_start_from_weights_of_people(
    call_tool, tinypose, pose_data, tmp_path
):
    """All weights but those of the last layer, which has five keypoints here."""
    config = 'configs/pose/custom/td-hm_litehrnet-18_8xb64-70e_custom-256x192.py'
    done = call_tool(
        'train.py', config, '--work-dir', tmp_path, '--no-validate', '--cfg-options',
        *SHORT, f'load_from={tinypose}', 'train_cfg.max_epochs=1',
        'model.backbone.arch=wider-naive-litehrnet-18',
        'model.backbone.frozen_stages=0',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'head.final_layer.weight' in done.stdout + done.stderr
    before = torch.load(tinypose, weights_only=True)['state_dict']
    after = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    assert len(after['head.final_layer.weight']) == 5
    stem = [key for key in before if key.startswith('backbone.stem.')]
    assert stem
    assert all(torch.equal(before[key], after[key]) for key in stem)
