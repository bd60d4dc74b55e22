"""The small runtime finds the poses that MMPose finds."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.apis import inference_topdown, init_model
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from running import forget_runs

from litehrnet_mm.deploy.export import export
from litehrnet_mm.deploy.plan import Plan, Wanted
from litehrnet_mm.runtime import PoseRuntime, SegRuntime
from litehrnet_mm.runtime.heatmaps import decode

CONFIGS = 'configs/pose/coco'
PLAIN = f'{CONFIGS}/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
UDP = PLAIN.replace('_8xb64', '_udp-8xb64')
SIZE = (256, 192)


@pytest.fixture(scope='module')
def people(shared_data) -> dict:
    """By image its persons' boxes, left, top, right, bottom, and their ids."""
    root = shared_data / 'coco_mini_val'
    content = json.loads((root / 'person_keypoints_val.json').read_text())
    images = {image['id']: image for image in content['images']}
    found = {}
    for person in content['annotations']:
        if person['num_keypoints'] and not person['iscrowd']:
            image = images[person['image_id']]
            x, y, w, h = person['bbox']
            # As MMPose reads them: within the image.
            xs = np.clip((x, x + w), 0, image['width'] - 1)
            ys = np.clip((y, y + h), 0, image['height'] - 1)
            path = root / 'images' / image['file_name']
            box = [xs[0], ys[0], xs[1], ys[1]]
            found.setdefault((image['id'], str(path)), []).append(box)
    return found


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
    for (_, image), boxes in list(people.items())[:6]:
        found, scores = pose(cv2.imread(image), np.array(boxes))
        persons = np.array(boxes, np.float32)
        samples = inference_topdown(model, image, persons, 'xyxy')
        for points, values, sample in zip(found, scores, samples):
            expected = sample.pred_instances
            np.testing.assert_allclose(points, expected.keypoints[0], atol=0.05)
            np.testing.assert_allclose(values, expected.keypoint_scores[0], atol=1e-3)


def test_openvino_finds_the_same(exported, people):
    pytest.importorskip('openvino')
    _, out = exported(PLAIN)
    one, other = PoseRuntime(out), PoseRuntime(out, backend='openvino', threads=1)
    for (_, image), boxes in list(people.items())[:3]:
        for found, expected in zip(
            *(p(cv2.imread(image), boxes) for p in (one, other))
        ):
            np.testing.assert_allclose(found, expected, atol=0.05)


def test_keypoints_from_the_graph_are_those_from_heatmaps(exported, people):
    _, heatmaps = exported(PLAIN)
    _, decoded = exported(PLAIN, decode=True, preprocess=True)
    one, other = PoseRuntime(heatmaps, flip_test=False), PoseRuntime(decoded)
    for (_, image), boxes in list(people.items())[:3]:
        for found, expected in zip(
            *(p(cv2.imread(image), boxes) for p in (one, other))
        ):
            np.testing.assert_allclose(found, expected, atol=0.05)


def test_average_precision_on_real_persons(exported, people, shared_data, capsys):
    _, out = exported(PLAIN)
    pose = PoseRuntime(out)
    results = []
    for (image_id, image), boxes in people.items():
        points, scores = pose(cv2.imread(image), boxes)
        for keypoints, values in zip(points, scores):
            sure = values[values > 0.2]
            flat = np.column_stack((keypoints, values)).ravel().tolist()
            results.append(
                dict(
                    image_id=image_id,
                    category_id=1,
                    keypoints=flat,
                    score=float(sure.mean()) if sure.size else 0.0,
                )
            )
    truth = COCO(shared_data / 'coco_mini_val' / 'person_keypoints_val.json')
    evaluation = COCOeval(truth, truth.loadRes(results), 'keypoints')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(0.661, abs=0.002)


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
