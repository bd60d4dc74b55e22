"""The small runtime finds the poses that MMPose finds."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.apis import inference_topdown, init_model
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from nets import random_images, randomise, settle
from running import forget_runs

from litehrnet_mm.deploy.export import export
from litehrnet_mm.deploy.graphs import ExportedModel
from litehrnet_mm.deploy.plan import Plan, Wanted
from litehrnet_mm.evaluation.coco_keypoints import (
    Persons,
    average_precision,
    read_persons,
)
from litehrnet_mm.runtime import PoseRuntime, SegRuntime
from litehrnet_mm.runtime.heatmaps import decode

CONFIGS = 'configs/pose/coco'
PLAIN = f'{CONFIGS}/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
UDP = PLAIN.replace('_8xb64', '_udp-8xb64')
SIMCC = f'{CONFIGS}/simcc_litehrnet-18_8xb64-210e_coco-256x192.py'
RLE = 'configs/examples/td-reg_litehrnet-18_rle-8xb64-210e_coco-256x192.py'
SIZE = (256, 192)


@pytest.fixture(scope='module')
def annotations(shared_data) -> Path:
    """Real persons."""
    return shared_data / 'coco_mini_val' / 'person_keypoints_val.json'


@pytest.fixture(scope='module')
def people(annotations) -> list[Persons]:
    """By image the boxes of its persons."""
    return read_persons(annotations, annotations.parent / 'images')


@pytest.fixture(scope='module')
def exported(repository, tinypose, tmp_path_factory):
    """PP-TinyPose under a config: model and file."""
    made = {}

    def make(path: str, unbiased: bool = False, **wanted):
        key = (path, unbiased, *wanted)
        if key not in made:
            cfg = Config.fromfile(repository / path)
            if unbiased:
                cfg.model.head.decoder.unbiased = True
            model = init_model(cfg, str(tinypose), device='cpu')
            forget_runs()
            out = tmp_path_factory.mktemp('runtime') / 'pose.onnx'
            plan = Plan(SIZE, Wanted(**wanted), dynamic='batch')
            export(model, cfg, out, plan)
            made[key] = model, out
        return made[key]

    return make


@pytest.mark.parametrize(
    ('path', 'unbiased'), [(PLAIN, False), (PLAIN, True), (UDP, False)]
)
def test_poses_are_those_of_mmpose(exported, people, path, unbiased):
    model, out = exported(path, unbiased)
    pose = PoseRuntime(out)
    for seen in people[:6]:
        image, boxes = str(seen.path), seen.boxes
        found, scores = pose(cv2.imread(image), boxes)
        samples = inference_topdown(model, image, boxes, 'xyxy')
        for points, values, sample in zip(found, scores, samples):
            expected = sample.pred_instances
            np.testing.assert_allclose(points, expected.keypoints[0], atol=0.05)
            np.testing.assert_allclose(values, expected.keypoint_scores[0], atol=1e-3)


@pytest.mark.parametrize('path', [SIMCC, RLE])
def test_poses_of_other_heads_are_those_of_mmpose(repository, people, tmp_path, path):
    cfg = Config.fromfile(repository / path)
    cfg.model.backbone.init_cfg = None
    model = randomise(init_model(cfg, device='cpu'))
    settle(ExportedModel(model, cfg, Wanted()), random_images(2, 3, *SIZE))
    forget_runs()
    out = tmp_path / 'pose.onnx'
    export(model, cfg, out, Plan(SIZE, dynamic='batch'))
    for flip in (True, False):
        pose = PoseRuntime(out, flip_test=flip)
        model.test_cfg.flip_test = flip
        for seen in people[:3]:
            found, scores = pose(cv2.imread(str(seen.path)), seen.boxes)
            samples = inference_topdown(model, str(seen.path), seen.boxes, 'xyxy')
            assert len(found) == len(scores) == len(samples)
            for points, values, sample in zip(found, scores, samples):
                expected = sample.pred_instances
                np.testing.assert_allclose(points, expected.keypoints[0], atol=0.05)
                np.testing.assert_allclose(values, expected.keypoint_scores[0], 1e-3)


def test_openvino_finds_the_same(exported, people):
    pytest.importorskip('openvino')
    _, out = exported(PLAIN)
    one, other = PoseRuntime(out), PoseRuntime(out, backend='openvino', threads=1)
    for seen in people[:3]:
        image = cv2.imread(str(seen.path))
        for found, expected in zip(*(p(image, seen.boxes) for p in (one, other))):
            np.testing.assert_allclose(found, expected, atol=0.05)


def test_keypoints_from_the_graph_are_those_from_heatmaps(exported, people):
    _, heatmaps = exported(PLAIN)
    _, decoded = exported(PLAIN, decode=True, preprocess=True)
    one, other = PoseRuntime(heatmaps, flip_test=False), PoseRuntime(decoded)
    for seen in people[:3]:
        image = cv2.imread(str(seen.path))
        for found, expected in zip(*(p(image, seen.boxes) for p in (one, other))):
            np.testing.assert_allclose(found, expected, atol=0.05)


def test_average_precision_on_real_persons(exported, people, annotations):
    _, out = exported(PLAIN)
    found = average_precision(PoseRuntime(out), annotations, people)
    assert found == pytest.approx(0.661, abs=0.002)


@pytest.mark.parametrize('path', [PLAIN, UDP])
def test_another_input_size(repository, tinypose, people, tmp_path, path):
    size, heatmaps = (384, 320), (80, 96)
    cfg = Config.fromfile(repository / path)
    out = tmp_path / 'pose.onnx'
    model = init_model(cfg, str(tinypose), device='cpu')
    forget_runs()
    export(model, cfg, out, Plan(size, dynamic='batch'))
    # MMPose has the sizes in its codec, in the head and in the pipeline.
    codec = dict(cfg.codec, input_size=size[::-1], heatmap_size=heatmaps)
    cfg.merge_from_dict({'model.head.decoder': codec, 'codec': codec})
    for step in cfg.test_dataloader.dataset.pipeline:
        if 'input_size' in step:
            step.input_size = size[::-1]
    model = init_model(cfg, str(tinypose), device='cpu')
    forget_runs()
    pose = PoseRuntime(out)
    compared = 0
    for seen in people[:8]:
        found, scores = pose(cv2.imread(str(seen.path)), seen.boxes)
        samples = inference_topdown(model, str(seen.path), seen.boxes, 'xyxy')
        assert len(found) == len(scores) == len(samples)
        for points, values, sample in zip(found, scores, samples):
            expected = sample.pred_instances.keypoints[0]
            # At a size it was not trained for heat can be so flat that rounding moves
            # the refined maximum; those are not found, either.
            sure = values > 0.2
            compared += sure.sum()
            np.testing.assert_allclose(points[sure], expected[sure], atol=0.05)
    assert compared > 30


def bumps(images: int, keypoints: int, height: int, width: int) -> np.ndarray:
    """Heatmaps with a maximum anywhere, also on the border, and some noise."""
    random = np.random.default_rng(0)
    count = images * keypoints
    ys = random.uniform(0, height - 1, (count, 1, 1))
    xs = random.uniform(0, width - 1, (count, 1, 1))
    y, x = np.mgrid[:height, :width]
    maps = np.exp(-((x - xs) ** 2 + (y - ys) ** 2) / 8)
    maps += random.uniform(0, 0.02, maps.shape)
    return maps.reshape(images, keypoints, height, width).astype(np.float32)


@pytest.mark.parametrize(
    'codec',
    [
        dict(type='MSRAHeatmap', sigma=2),
        dict(type='MSRAHeatmap', sigma=2, unbiased=True),
        dict(type='UDPHeatmap', sigma=2),
    ],
    ids=['plain', 'dark', 'udp'],
)
def test_decoding_anything_is_that_of_mmpose(codec):
    codec |= dict(input_size=(48, 64), heatmap_size=(12, 16))
    kinds = dict(MSRAHeatmap=MSRAHeatmap, UDPHeatmap=UDPHeatmap)
    kwargs = {key: value for key, value in codec.items() if key != 'type'}
    reference = kinds[codec['type']](**kwargs)
    heatmaps = bumps(4, 9, 16, 12)
    points, scores = decode(heatmaps, codec)
    for image, found, values in zip(heatmaps, points, scores):
        expected, wanted = reference.decode(image)
        np.testing.assert_allclose(found, expected[0], atol=2e-3)
        np.testing.assert_allclose(values, wanted[0])


def test_no_persons_and_the_whole_image(exported):
    pose = PoseRuntime(exported(PLAIN)[1])
    image = np.zeros((50, 40, 3), np.uint8)
    points, scores = pose(image, [])
    assert points.shape == (0, 17, 2)
    assert scores.shape == (0, 17)
    points, scores = pose(image)
    assert points.shape == (1, 17, 2)
    assert pose.keypoints[0] == 'nose'
    assert pose.skeleton[0] == [15, 13]


def test_neither_pytorch_nor_openmmlab_is_imported(exported, repository):
    script = f"""
import sys
import numpy as np
from litehrnet_mm.runtime import PoseRuntime
PoseRuntime({str(exported(PLAIN)[1])!r})(np.zeros((64, 64, 3), np.uint8))
roots = {{name.split('.')[0] for name in sys.modules}}
print(sorted(roots & {{'torch', 'mmengine', 'mmcv', 'mmpose', 'mmseg', 'onnx'}}))
"""
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '[]'


def test_mistakes(exported, tmp_path):
    _, out = exported(PLAIN)
    pose = PoseRuntime(out)
    image = np.zeros((50, 40, 3), np.uint8)
    cases = [
        (lambda: pose(image / 255), 'array .H, W, 3. of uint8, BGR, got .* of float64'),
        (
            lambda: pose(np.zeros((2, 32_767, 3), np.uint8)),
            'nothing out of 32767x2 pixels .* no side may have 32767 or more',
        ),
        (lambda: pose(image, [1, 2, 3, 4]), r'boxes must have the shape \(N, 4\)'),
        (lambda: PoseRuntime('absent.onnx'), 'no such file: absent.onnx'),
        (lambda: SegRuntime(out), 'is for pose, not for segmentation'),
        (lambda: PoseRuntime(out, backend='tvm'), 'backend must be one of'),
    ]
    (tmp_path / 'text.onnx').write_text('no graph')
    cases.append((lambda: PoseRuntime(tmp_path / 'text.onnx'), 'cannot be opened'))
    for call, words in cases:
        with pytest.raises(ValueError, match=words):
            call()
