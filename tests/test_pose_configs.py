"""Every pose config trains one step and evaluates, on samples of the real data."""

import json
import math
import re
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmpose.registry import METRICS, MODELS
from pycocotools.coco import COCO
from running import configure, forget_runs, scalars

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.launch import test as evaluate
from litehrnet_mm.engine.launch import train
from litehrnet_mm.evaluation.coco_submission import check_results

CONFIGS = Path(__file__).resolve().parents[1] / 'configs/pose'
LEAVES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('[ts]*-*.py')
    if '_base_' not in path.parts and 'synthetic' not in path.parts
)

COCO_KEYS = {'coco/AP', 'coco/AP .5', 'coco/AP (M)', 'coco/AP (L)', 'coco/AR'}
MPII_JOINTS = ('Head', 'Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Ankle')
EXPECTED = {
    'coco': COCO_KEYS,
    'coco_test-dev': COCO_KEYS,  # while training it is evaluated on val2017
    'coco_wholebody_hand': {'PCK', 'AUC', 'EPE'},
    'custom': COCO_KEYS,
    'mpii': {'PCK', 'PCK@0.1', *(f'{joint} PCK' for joint in MPII_JOINTS)},
}
# One step of two persons, no download of ImageNet's weights.
ONE_STEP = [
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'val_dataloader.batch_size=16',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
    'model.backbone.init_cfg=None',
]


def limit(cfg: Config) -> None:
    """Train on the first two persons (of each data set) alone."""
    dataset = cfg.train_dataloader.dataset
    for part in dataset.get('datasets', [dataset]):
        part.indices = 2 if part is dataset else 1


@pytest.fixture(autouse=True)
def first_run():
    """Each run is the first of its process."""
    yield
    forget_runs()


@pytest.fixture
def amp_without_gpu(monkeypatch):
    """MMEngine refuses mixed precision on the CPU, which PyTorch has (bfloat16)."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)


@pytest.mark.parametrize('path', LEAVES)
def test_trains_one_step_and_evaluates(path, pose_data, tmp_path, amp_without_gpu):
    cfg = configure(CONFIGS / path, tmp_path, *ONE_STEP)
    limit(cfg)
    if '_amp-' in path:
        # MMPose turns heatmaps into NumPy arrays for this, which has no bfloat16.
        cfg.model.train_cfg = dict(compute_acc=False)
    train(cfg)
    found = scalars(tmp_path)
    assert math.isfinite(found['loss'])
    assert found['iter'] == 1
    assert EXPECTED[path.split('/')[0]] <= set(found)


def test_amp_is_mixed_precision(tmp_path):
    (path,) = [leaf for leaf in LEAVES if '_amp-' in leaf]
    cfg = configure(CONFIGS / path, tmp_path)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.optimizer.lr == 2e-3


SUBMISSIONS = [leaf for leaf in LEAVES if leaf.startswith('coco_test-dev')]


@pytest.fixture
def submission(pose_data, tmp_path):
    """What a fresh net of a test-dev config writes for the server; the config too."""
    path = next(leaf for leaf in SUBMISSIONS if '_naive-' in leaf)
    out = tmp_path / 'submission'
    cfg = configure(CONFIGS / path, tmp_path / 'work', f'test_evaluator.out_dir={out}')
    cfg.load_from = str(tmp_path / 'naive.pth')
    torch.save(MODELS.build(cfg.model).state_dict(), cfg.load_from)
    evaluate(cfg)
    return out, pose_data['COCO_ROOT']


def test_test_dev_writes_the_servers_file(submission):
    out, root = submission
    stem = 'person_keypoints_test-dev2017_naive-litehrnet-18_results'
    assert {path.name for path in out.iterdir()} == {f'{stem}.json', f'{stem}.zip'}
    text = (out / f'{stem}.json').read_text()
    with zipfile.ZipFile(out / f'{stem}.zip') as archive:
        assert archive.namelist() == [f'{stem}.json']
        assert archive.read(f'{stem}.json').decode() == text
    images = json.loads((root / 'annotations/image_info_test-dev2017.json').read_text())
    ids = {image['id'] for image in images['images']}
    results = json.loads(text)
    check_results(results, ids)
    assert {result['image_id'] for result in results} == ids
    boxes = root / 'person_detection_results'
    boxes /= 'COCO_test-dev2017_detections_AP_H_609_person.json'
    assert 0 < len(results) <= len(json.loads(boxes.read_text()))
    # What COCO's own code makes of the file.
    truth = COCO(str(root / 'annotations/person_keypoints_val2017.json'))
    assert len(truth.loadRes(str(out / f'{stem}.json')).anns) == len(results)


def test_every_submission_has_a_name_of_its_own():
    methods = {Config.fromfile(CONFIGS / p).test_evaluator.method for p in SUBMISSIONS}
    assert methods == {re.search(r'hm_(.+)_8x', path)[1] for path in SUBMISSIONS}
    assert len(methods) == 4


GOOD = dict(image_id=1, category_id=1, keypoints=[0.0] * 51, score=0.5)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(image_id=2), 'image_id 2'),
        (dict(image_id='1'), "image_id '1'"),
        (dict(category_id=2), 'category_id'),
        (dict(keypoints=[0.0] * 50), '51 numbers'),
        (dict(keypoints=[math.nan] * 51), 'finite'),
        (dict(score=None), 'finite'),
        (dict(bbox=[0, 0, 1, 1]), 'expected an object'),
    ],
)
def test_a_submission_that_the_server_would_refuse(change, words):
    check_results([GOOD], [1])
    with pytest.raises(UserError, match=rf'entry 1: .*{words}'):
        check_results([GOOD, {**GOOD, **change}], [1])


def test_an_empty_submission_is_refused():
    with pytest.raises(UserError, match='at least one person'):
        check_results([], [1])


def test_a_method_that_no_file_name_takes_is_refused(pose_data, tmp_path):
    cfg = configure(CONFIGS / SUBMISSIONS[0], tmp_path, 'test_evaluator.method=a/b')
    with pytest.raises(UserError, match='method'):
        METRICS.build(cfg.test_evaluator)
