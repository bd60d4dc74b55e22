"""Every pose config trains one step and evaluates, on samples of the real data."""

import json
import math
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS, METRICS, MODELS
from pycocotools.coco import COCO
from running import configure, forget_runs, scalars

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine import launch
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.launch import test as evaluate
from litehrnet_mm.engine.launch import train
from litehrnet_mm.evaluation.coco_submission import check_results

CONFIGS = Path(__file__).resolve().parents[1] / 'configs/pose'
LEAVES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('[ts]*-*.py')
    if '_base_' not in path.parts
)

COCO_KEYS = {'coco/AP', 'coco/AP .5', 'coco/AP (M)', 'coco/AP (L)', 'coco/AR'}
MPII_JOINTS = ('Head', 'Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Ankle')
EXPECTED = {
    'coco': COCO_KEYS,
    'coco_test-dev': COCO_KEYS,  # while training it is evaluated on val2017
    'coco_wholebody_hand': {'PCK', 'AUC', 'EPE'},
    'custom': COCO_KEYS,
    'synthetic': COCO_KEYS,
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
    """Train on the first two persons (of each data set), evaluate on the first two."""
    cfg.val_dataloader.dataset.indices = 2
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
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
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


def test_amp_is_mixed_precision_and_refused_without_a_gpu(tmp_path):
    (path,) = [leaf for leaf in LEAVES if '_amp-' in leaf]
    cfg = configure(CONFIGS / path, tmp_path)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.optimizer.lr == 2e-3
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match='needs a GPU'):
            train(cfg)


@pytest.mark.parametrize('shift', [0.0, 0.05, 0.3, 0.7])
def test_pckh_of_predictions_a_known_distance_off(shift, pose_data, tmp_path):
    """Each joint of MPII off by a part of the head's size, 0.6 of its diagonal."""
    path = next(leaf for leaf in LEAVES if leaf.startswith('mpii'))
    cfg = configure(CONFIGS / path, tmp_path)
    with DefaultScope.overwrite_default_scope('mmpose'):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
        metric = METRICS.build(cfg.test_evaluator)
    people = json.loads(
        (pose_data['MPII_ROOT'] / 'annotations/mpii_val.json').read_text()
    )
    assert len(dataset) == len(people) == 5
    for index, person in enumerate(people):
        sample = dataset[index]['data_samples']
        joints = np.array(person['joints'])
        head = 0.6 * np.linalg.norm(np.ptp(joints[8:10], axis=0))
        # MPII counts pixels from 1, networks from 0.
        found = joints[None] - 1 + [shift * head, 0]
        sample.pred_instances = InstanceData(keypoints=found)
        metric.process(None, [sample.to_dict()])
    scores = metric.evaluate(len(people))
    expected = {'PCK': 100 * (shift < 0.5), 'PCK@0.1': 100 * (shift < 0.1)}
    assert {key: scores[key] for key in expected} == pytest.approx(expected)
    assert scores['Wrist PCK'] == pytest.approx(expected['PCK'])


SUBMISSIONS = [leaf for leaf in LEAVES if leaf.startswith('coco_test-dev')]


@pytest.fixture
def submission(pose_data, tmp_path):
    """What a fresh net of a test-dev config writes for the server; the config too."""
    path = next(leaf for leaf in SUBMISSIONS if '_naive-' in leaf)
    out = tmp_path / 'submission'
    cfg = configure(CONFIGS / path, tmp_path / 'work', f'test_evaluator.out_dir={out}')
    cfg.load_from = str(tmp_path / 'naive.pth')
    torch.save(MODELS.build(cfg.model).state_dict(), cfg.load_from)
    evaluate(cfg, allow_partial=False, list_all=False)
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


def test_a_submission_is_named_and_thinned_out_as_asked(pose_data, tmp_path):
    asked = ('testset=test-challenge2017', f'out_dir={tmp_path}', 'nms_thr=0.5')
    options = [f'test_evaluator.{option}' for option in asked]
    metric = METRICS.build(
        configure(CONFIGS / SUBMISSIONS[0], tmp_path, *options).test_evaluator
    )
    name = 'person_keypoints_test-challenge2017_litehrnet-18_results.json'
    assert metric.path == tmp_path / name
    assert metric.nms_thr == 0.5


def test_every_submission_has_a_name_of_its_own():
    methods = {Config.fromfile(CONFIGS / p).test_evaluator.method for p in SUBMISSIONS}
    assert methods == {re.search(r'hm_(.+)_8x', path)[1] for path in SUBMISSIONS}
    assert len(methods) == 4


GOOD = dict(image_id=1, category_id=1, keypoints=[0.0] * 51, score=0.5)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(image_id=2), 'image_id 2'),
        (dict(image_id='1'), 'image_id 1 is no image'),
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


def test_a_folder_that_cannot_be_made_is_said_before_the_test(pose_data, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    out = tmp_path / 'file/submission'
    options = f'test_evaluator.out_dir={out}'
    cfg = configure(CONFIGS / SUBMISSIONS[0], tmp_path / 'work', options)
    with pytest.raises(UserError, match=f'cannot write to {out}'):
        METRICS.build(cfg.test_evaluator)


def test_an_error_in_a_test_dev_run_is_not_blamed_on_its_annotations(
    pose_data, tmp_path
):
    cfg = configure(CONFIGS / SUBMISSIONS[0], tmp_path)
    with pytest.raises(KeyError, match='nothing to do with it'), data_errors(cfg):
        raise KeyError('nothing to do with it')
