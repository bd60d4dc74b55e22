"""``tools/train.py`` and ``tools/test.py`` on real images with real weights."""

import json
import pickle
import re
from argparse import Namespace
from importlib.util import module_from_spec, spec_from_file_location

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from running import CONFIG, LITE_CONFIG, TRAINING, assert_one_line, on

AP_OF_MMPOSE = 0.660732  # mmpose's own net and runner with the same weights and boxes


def average_precision(output: str) -> list[float]:
    return [float(value) for value in re.findall(r'coco/AP: ([\d.]+)', output)]


@pytest.fixture(scope='module')
def evaluation(run_tool, coco, tinypose, tmp_path_factory):
    """One evaluation with every option of testing; its folder and output."""
    folder = tmp_path_factory.mktemp('evaluation')
    done = run_tool(
        'test.py', CONFIG, tinypose, '--work-dir', folder / 'work',
        '--dump', folder / 'predictions.pkl', '--out', folder / 'metrics.json',
        '--show-dir', folder / 'drawn', '--cfg-options', *on(coco, 'test'),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def test_published_weights_reach_mmposes_accuracy(evaluation):
    folder, output = evaluation
    metrics = json.loads((folder / 'metrics.json').read_text())
    assert metrics['coco/AP'] == pytest.approx(AP_OF_MMPOSE, abs=0.002)
    assert metrics['coco/AP .5'] == pytest.approx(0.848, abs=0.005)
    assert metrics['coco/AR'] == pytest.approx(0.678, abs=0.005)
    assert average_precision(output) == [pytest.approx(metrics['coco/AP'], abs=1e-6)]


def test_cocoeval_of_pycocotools_agrees_on_the_dumped_predictions(evaluation, coco):
    folder, _ = evaluation
    with open(folder / 'predictions.pkl', 'rb') as handle:
        samples = pickle.load(handle)
    assert len(samples) == 68
    results = []
    for sample in samples:
        instances = sample['pred_instances']
        keypoints = np.asarray(instances['keypoints'])[0]
        scores = np.asarray(instances['keypoint_scores'])[0]
        confident = scores[scores > 0.2]  # how MMPose's metric rescores a person
        box_score = float(sample['gt_instances']['bbox_scores'][0])
        results.append(
            dict(
                image_id=int(sample['img_id']),
                category_id=1,
                keypoints=np.column_stack([keypoints, scores]).ravel().tolist(),
                score=box_score * float(confident.mean() if len(confident) else 0),
            )
        )
    truth = COCO(str(coco / 'person_keypoints_val.json'))
    evaluator = COCOeval(truth, truth.loadRes(results), 'keypoints')
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    metrics = json.loads((folder / 'metrics.json').read_text())
    assert evaluator.stats[0] == pytest.approx(metrics['coco/AP'], abs=1e-6)
    assert evaluator.stats[5] == pytest.approx(metrics['coco/AR'], abs=1e-6)


def test_show_dir_holds_a_picture_of_every_image(evaluation, coco):
    """The image twice, side by side, with skeletons: ground truth and prediction."""
    folder, _ = evaluation
    truth = json.loads((coco / 'person_keypoints_val.json').read_text())
    names = {image['id']: image['file_name'] for image in truth['images']}
    shown = {names[a['image_id']] for a in truth['annotations'] if a['num_keypoints']}
    pictures = {path.name: path for path in (folder / 'drawn').iterdir()}
    assert pictures.keys() == shown
    for name in sorted(shown)[:3]:
        original = cv2.imread(str(coco / 'images' / name))
        drawn = cv2.imread(str(pictures[name]))
        width = (drawn.shape[1] - 4) // 2
        drawn = drawn[-round(width * original.shape[0] / original.shape[1]) :]
        expected = cv2.resize(original, (width, len(drawn))).astype(int)
        for part in (drawn[:, :width], drawn[:, -width:]):
            difference = np.abs(part - expected).max(axis=2)
            assert np.median(difference) < 12  # the image, compressed
            assert (difference > 90).sum() > 100  # what is drawn on it


def test_analysis_of_the_dump_agrees_with_the_test(evaluation, run_tool, coco):
    folder, _ = evaluation
    done = run_tool(
        'analyze_results.py', CONFIG, folder / 'predictions.pkl', '--out',
        folder / 'analysis', '--worst', 4, '--cfg-options', *on(coco, 'test'),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / 'analysis/analysis.json').read_text())
    assert found['metrics'] == pytest.approx(
        json.loads((folder / 'metrics.json').read_text()), abs=1e-9
    )
    counts = found['counts']
    assert counts['persons'] == 68
    assert counts['matched'] + counts['inaccurate'] + counts['missed'] == 68
    # COCO's recall at OKS 0.5 counts the same persons.
    recall = found['metrics']['coco/AR .5']
    assert counts['matched'] / 68 == pytest.approx(recall, abs=1e-9)
    assert all(0.7 < one['mean_similarity'] < 1 for one in found['keypoints'])
    assert [one['oks'] for one in found['worst']] == sorted(
        one['oks'] for one in found['worst']
    )
    assert len(found['worst']) == 4
    for name in ('keypoints.png', 'worst.png'):
        assert cv2.imread(str(folder / 'analysis' / name)).std() > 10


@pytest.fixture(scope='module')
def training(run_tool, coco, tinypose, tmp_path_factory):
    """Fine-tuning on the 68 persons with the real COCO config; folder and output."""
    folder = tmp_path_factory.mktemp('training')
    done = run_tool(
        'train.py', CONFIG, '--work-dir', folder, '--cfg-options',
        *on(coco, 'train'), *on(coco, 'val'), *TRAINING, f'load_from={tinypose}',
        'train_cfg.max_epochs=4',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def losses(output: str) -> list[float]:
    found = re.findall(r'Epoch\(train\).*? loss: ([\d.]+)', output)
    return [float(value) for value in found]


def test_fine_tuning_lowers_the_loss_and_raises_ap(training):
    _, output = training
    steps = losses(output)
    assert len(steps) == 16
    assert np.mean(steps[-4:]) < np.mean(steps[:4])
    (after,) = average_precision(output)
    assert after > AP_OF_MMPOSE + 0.01


# ---------------------------------------------------- the options of training


def test_amp_is_asked_of_mmengine(repository):
    """The run itself needs a GPU; what is set for it does not."""
    spec = spec_from_file_location('train_tool', repository / 'tools/train.py')
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    args = Namespace(
        config='x.py', amp=True, resume=None, no_validate=False, auto_scale_lr=False
    )
    optimizer = dict(optimizer=dict(type='Adam'))
    cfg = Config(dict(optim_wrapper=optimizer, train_cfg={}, train_dataloader={}))
    tool.apply_training(cfg, args)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_amp_is_refused_without_a_gpu(call_tool, tmp_path):
    done = call_tool('train.py', LITE_CONFIG, '--work-dir', tmp_path, '--amp')
    assert_one_line(done, '--amp', 'needs a GPU')
