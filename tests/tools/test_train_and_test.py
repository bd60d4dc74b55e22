"""``tools/train.py`` and ``tools/test.py`` on real images with real weights."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CONFIG = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
LITE_CONFIG = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
AP_OF_MMPOSE = 0.660732  # mmpose's own net and runner with the same weights and boxes


@pytest.fixture(scope='module')
def coco(shared_data) -> Path:
    """32 images of COCO val2017 with 68 annotated persons."""
    return shared_data / 'coco_mini_val'


@pytest.fixture(scope='module')
def run_tool(repository):
    """Run a tool as a user would, and return what it said."""

    def run(tool: str, *args: object) -> subprocess.CompletedProcess:
        command = [sys.executable, f'tools/{tool}', *map(str, args)]
        return subprocess.run(
            command,
            cwd=repository,
            capture_output=True,
            text=True,
            env={**os.environ, 'OMP_NUM_THREADS': '2'},
        )

    return run


@pytest.fixture(scope='module')
def tinypose(run_tool, shared_data, tmp_path_factory) -> Path:
    """PP-TinyPose, converted."""
    source = shared_data / 'pp_tinypose'
    out = tmp_path_factory.mktemp('weights') / 'tinypose.pth'
    files = [source / f'tinypose_256x192.{kind}' for kind in ('param', 'bin')]
    done = run_tool('convert_checkpoint.py', 'pp-tinypose', *files, out)
    assert done.returncode == 0, done.stderr
    return out


def on(coco: Path, split: str) -> list[str]:
    """``--cfg-options`` that put the small data set in the place of COCO."""
    dataset = f'{split}_dataloader.dataset'
    options = [
        f'{dataset}.data_root={coco}/',
        f'{dataset}.ann_file=person_keypoints_val.json',
        f'{dataset}.data_prefix.img=images/',
    ]
    if split != 'train':
        options += [
            f'{dataset}.bbox_file=None',
            f'{split}_evaluator.ann_file={coco}/person_keypoints_val.json',
        ]
    return options


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


def test_show_dir_holds_a_picture_of_every_person(evaluation, coco):
    folder, _ = evaluation
    pictures = sorted((folder / 'drawn').iterdir())
    assert len(pictures) == 68
    name = pictures[0].name.split('_')[0]
    original = cv2.imread(str(coco / 'images' / f'{name}.jpg'))
    drawn = cv2.imread(str(pictures[0]))
    assert (drawn[: original.shape[0], : original.shape[1]] != original).any()


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


# BatchNorm folded into converted weights has no statistics to adapt: norm_eval.
TRAINING = [
    'model.backbone.norm_eval=True',
    'train_dataloader.batch_size=17',
    'train_cfg.val_interval=4',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=1',
    'param_scheduler.0.end=4',
    'optim_wrapper.optimizer.lr=5e-4',
    'randomness.seed=0',
]


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


def test_the_checkpoint_that_training_wrote_is_evaluated(training, run_tool, coco):
    folder, output = training
    done = run_tool(
        'test.py', CONFIG, folder / 'epoch_4.pth', '--work-dir', folder / 'test',
        '--cfg-options', *on(coco, 'test'),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert average_precision(done.stdout + done.stderr) == average_precision(output)


def test_training_resumes_from_the_newest_checkpoint(training, run_tool, coco):
    folder, _ = training
    done = run_tool(
        'train.py', CONFIG, '--work-dir', folder, '--resume', '--no-validate',
        '--cfg-options', *on(coco, 'train'), *TRAINING, 'train_cfg.max_epochs=5',
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert 'resumed epoch: 4, iter: 16' in output
    assert re.findall(r'Epoch\(train\) +\[(\d+)\]', output) == ['5'] * 4
    assert (folder / 'last_checkpoint').read_text().endswith('epoch_5.pth')
    checkpoint = torch.load(folder / 'epoch_5.pth', weights_only=True)
    assert checkpoint['meta']['iter'] == 20


def test_a_checkpoint_of_weights_alone_cannot_be_resumed(
    run_tool, coco, tinypose, tmp_path
):
    done = run_tool(
        'train.py', CONFIG, '--work-dir', tmp_path, '--resume', tinypose,
        '--no-validate', '--cfg-options', *on(coco, 'train'),
    )  # fmt: skip
    assert_one_line(done, 'cannot be resumed from', 'load_from=')


# ------------------------------------------------------------------- mistakes


def assert_one_line(done: subprocess.CompletedProcess, *words: object) -> None:
    """The tool failed with one clear line that has all the words, and no traceback."""
    assert done.returncode == 2, done.stderr
    assert 'Traceback' not in done.stderr, done.stderr
    (line,) = [x for x in done.stderr.splitlines() if x.startswith('error: ')]
    assert done.stderr.splitlines()[-1] == line
    assert all(str(word) in line for word in words), line


def test_a_missing_annotation_file(run_tool, tinypose, tmp_path, coco):
    broken = [x.replace('person_keypoints', 'nowhere') for x in on(coco, 'test')]
    done = run_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options', *broken
    )
    where = 'test_dataloader.dataset.ann_file'
    assert_one_line(done, 'annotation file not found', 'nowhere_val.json', where)


def test_missing_detections_name_the_way_out(run_tool, tinypose, tmp_path, coco):
    options = [x for x in on(coco, 'test') if 'bbox_file' not in x]
    done = run_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options', *options
    )
    assert_one_line(done, 'detected boxes', 'test_dataloader.dataset.bbox_file=None')


@pytest.mark.parametrize('fault', ['missing', 'truncated', 'empty'])
def test_an_image_that_cannot_be_read(run_tool, tinypose, tmp_path, coco, fault):
    copy = tmp_path / 'coco'
    shutil.copytree(coco, copy, copy_function=shutil.copyfile)
    content = json.loads((copy / 'person_keypoints_val.json').read_text())
    image = copy / 'images' / content['images'][0]['file_name']
    if fault == 'missing':
        image.unlink()
    else:
        data = image.read_bytes()
        image.write_bytes(data[:200] if fault == 'truncated' else b'')
    done = run_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options',
        *on(copy, 'test'), 'test_dataloader.batch_size=68',
    )  # fmt: skip
    assert_one_line(done, 'image', image.name)


def test_a_broken_annotation_file(run_tool, tinypose, tmp_path, coco):
    copy = tmp_path / 'coco'
    (copy / 'images').mkdir(parents=True)
    text = (coco / 'person_keypoints_val.json').read_text()
    (copy / 'person_keypoints_val.json').write_text(text[:1000])
    done = run_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options',
        *on(copy, 'test'),
    )  # fmt: skip
    assert_one_line(done, 'not valid JSON', 'person_keypoints_val.json')


class Malice:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


def make_checkpoint(kind: str, good: Path, folder: Path) -> Path:
    path = folder / f'{kind}.pth'
    content = torch.load(good, weights_only=True)
    state_dict = content['state_dict']
    if kind == 'truncated':
        path.write_bytes(good.read_bytes()[:100_000])
    elif kind == 'text':
        path.write_text('not a checkpoint')
    elif kind == 'foreign':
        torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    elif kind == 'shape':
        state_dict['head.final_layer.weight'] = torch.zeros(16, 40, 1, 1)
        torch.save(content, path)
    elif kind == 'malicious':
        torch.save(dict(state_dict, evil=Malice(folder / 'marker')), path)
    return path


@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        ('absent', ['checkpoint not found']),
        ('truncated', ['damaged']),
        ('text', ['damaged']),
        ('foreign', ['does not fit', 'missing']),
        ('shape', ['does not fit', '(16, 40, 1, 1)', '(17, 40, 1, 1)']),
        ('malicious', ['refused', 'posix.system']),
    ],
)
@pytest.mark.parametrize('tool', ['test.py', 'train.py'])
def test_unusable_checkpoints(run_tool, tinypose, coco, tmp_path, tool, kind, words):
    path = make_checkpoint(kind, tinypose, tmp_path)
    work = tmp_path / 'work'
    if tool == 'test.py':
        args = (path, '--cfg-options', *on(coco, 'test'))
    else:
        options = (*on(coco, 'train'), *TRAINING, f'load_from={path}')
        args = ('--no-validate', '--cfg-options', *options)
    done = run_tool(tool, CONFIG, '--work-dir', work, *args)
    assert_one_line(done, path, *words)
    assert not (tmp_path / 'marker').exists()
    assert not list(work.glob('*.pth')) if work.exists() else True


def test_an_unknown_config_is_named_with_its_neighbour(run_tool, tinypose):
    wrong = LITE_CONFIG.replace('litehrnet-18', 'litehrnet-81')
    done = run_tool('test.py', wrong, tinypose)
    assert_one_line(done, 'config not found', wrong, LITE_CONFIG)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('model = dict(', ['cannot be read']),
        ("_base_ = 'nowhere.py'\n", ['cannot be read', 'nowhere.py']),
        ("_base_ = 'mmpose::nowhere.py'\n", ['cannot be read', 'nowhere.py']),
    ],
)
def test_a_config_that_cannot_be_read(run_tool, tinypose, tmp_path, text, words):
    config = tmp_path / 'config.py'
    config.write_text(text)
    assert_one_line(run_tool('test.py', config, tinypose), config, *words)


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        (['--dump', 'predictions.json'], ['--dump', '.pkl', 'predictions.json']),
        (['--tta'], ['--tta', 'tta_model']),
        (['--show'], ['--show', 'screen', '--show-dir']),
        (['--show-dir', 'x', '--interval', '0'], ['--interval', '0']),
        (['--cfg-options', 'model.head.loss.0=1'], ['--cfg-options']),
    ],
)
def test_wrong_options(run_tool, tinypose, args, words, monkeypatch):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    assert_one_line(run_tool('test.py', CONFIG, tinypose, *args), *words)


def test_an_option_that_the_config_does_not_know_is_said(run_tool, tinypose, tmp_path):
    done = run_tool(
        'test.py', CONFIG, tmp_path / 'absent.pth', '--cfg-options', 'modle.x=1'
    )
    assert '--cfg-options modle.x is new' in done.stdout + done.stderr


# ---------------------------------------------------- the options of training


def test_options_of_training_reach_the_run(run_tool, coco, tmp_path):
    """Mixed precision and a learning rate for the batch size, seen in the log."""
    done = run_tool(
        'train.py', LITE_CONFIG, '--work-dir', tmp_path, '--amp', '--auto-scale-lr',
        '--no-validate', '--cfg-options', *on(coco, 'train'), *TRAINING,
        'train_dataloader.batch_size=64', 'train_cfg.max_epochs=1',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    config = Config.fromfile(next(tmp_path.glob('*.py')))
    assert config.optim_wrapper.type == 'AmpOptimWrapper'
    assert config.val_dataloader is None
    assert 'LR has been automatically scaled from 0.0005 to 6.25e-05' in output
    assert len(losses(output)) == 2
    assert all(np.isfinite(losses(output)))
