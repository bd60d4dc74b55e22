"""``tools/predict.py``: from whatever a user has to pictures and JSON."""

import json
import os

import cv2
import numpy as np
import pytest
import torch
from nets import randomise
from PIL import Image
from running import assert_one_line, narrow

from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.prediction import detectors
from litehrnet_mm.visualization import windows, write_image
from litehrnet_mm.visualization.labels import (
    LEGEND_WIDTH,
    class_shares,
    draw_labels,
    show_classes,
)

POSE = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
OTHER = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'


@pytest.fixture(scope='module')
def onnx(run_tool, tinypose, tmp_path_factory):
    """PP-TinyPose, exported."""
    out = tmp_path_factory.mktemp('onnx') / 'tinypose.onnx'
    done = run_tool('export_onnx.py', POSE, tinypose, out, '--dynamic', 'batch')
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def coco(shared_data):
    """Real images with their annotations."""
    return shared_data / 'coco_mini_val'


def poses(folder) -> dict[str, list]:
    """What was written, by image."""
    found: dict[str, list] = {}
    for person in json.loads((folder / 'keypoints.json').read_text()):
        found.setdefault(person['file_name'], []).append(person)
    return found


def test_onnx_and_pytorch_find_the_same(call_tool, onnx, tinypose, coco, tmp_path):
    boxes = ('--boxes', coco / 'person_keypoints_val.json')
    pattern = coco / 'images' / '0000000001*.jpg'
    found = []
    for k, model in enumerate([(onnx,), (POSE, tinypose)]):
        out = tmp_path / str(k)
        done = call_tool('predict.py', *model, pattern, *boxes, '--out', out)
        assert done.returncode == 0, done.stderr
        found.append(poses(out))
    names = {path.name for path in coco.glob('images/0000000001*.jpg')}
    assert found[0].keys() == found[1].keys() <= names
    for name, persons in found[0].items():
        for one, other in zip(persons, found[1][name], strict=True):
            assert one['image_id'] == int(name.split('.')[0]) == other['image_id']
            assert one['bbox'] == other['bbox']
            np.testing.assert_allclose(one['keypoints'], other['keypoints'], atol=0.05)
    for name in names:
        drawn, plain = (
            cv2.imread(str(folder / name))
            for folder in (tmp_path / '0' / 'pictures', coco / 'images')
        )
        assert drawn.shape == plain.shape


def test_a_film_becomes_a_film(call_tool, onnx, tmp_path):
    path = tmp_path / 'film.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for k in range(5):
        writer.write(np.full((48, 64, 3), 40 * k, np.uint8))
    writer.release()
    out = tmp_path / 'out'
    box = ('--box', 4, 4, 30, 40, '--box', 30, 2, 30, 40)
    pattern = tmp_path / 'f*.avi'
    done = call_tool('predict.py', onnx, pattern, *box, '--out', out)
    assert done.returncode == 0, done.stderr
    assert '10 poses in 5 images' in done.stdout
    found = poses(out)
    assert sorted(found) == [f'film_{k:06}' for k in range(5)]
    assert found['film_000003'][1]['bbox'] == [30, 2, 30, 40]
    capture = cv2.VideoCapture(str(out / 'film.mp4'))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)


@pytest.fixture
def detector(repository, tmp_path, monkeypatch):
    """Config and weights of a detector that takes everything for a person."""
    monkeypatch.chdir(repository)
    path = 'configs/examples/faster-rcnn_litehrnet-18_fpn_1x_coco.py'
    torch.manual_seed(0)
    model = build_model(load_config(path, {}), path)
    with torch.no_grad():
        model.roi_head.bbox_head.fc_cls.bias[0] = 20
    weights = tmp_path / 'detector.pth'
    torch.save(dict(state_dict=model.state_dict()), weights)
    return path, weights


def test_a_detector_finds_the_persons(call_tool, onnx, detector, coco, tmp_path):
    """In a picture, that is; one so narrow that nothing is left of it is left out."""
    image = sorted((coco / 'images').glob('*.jpg'))[0]
    narrow, out = tmp_path / 'narrow.png', tmp_path / 'out'
    cv2.imwrite(str(narrow), np.zeros((3, 20_000, 3), np.uint8))
    inputs = (narrow, image)
    done = call_tool('predict.py', onnx, *inputs, '--detector', *detector, '--out', out)
    assert 'narrow.png: 20000x3 pixels' in done.stderr
    assert 'Traceback' not in done.stderr
    ((name, persons),) = poses(out).items()
    assert name == image.name
    assert 1 < len(persons) <= 100
    assert all(person['bbox'][2] > 0 for person in persons)


def test_segmentation(call_tool, shared_data, tmp_path):
    config = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'
    net, out = tmp_path / 'seg.onnx', tmp_path / 'out'
    size = ('--input-size', 96, 128)
    assert call_tool('export_onnx.py', config, net, *size).returncode == 0
    images = sorted((shared_data / 'camvid_mini/images/val').glob('*.png'))[:2]
    done = call_tool('predict.py', net, *images, '--out', out)
    assert done.returncode == 0, done.stderr
    content = json.loads((out / 'classes.json').read_text())
    for path in images:
        labels = np.asarray(Image.open(out / 'labels' / path.name))
        assert labels.shape == cv2.imread(str(path)).shape[:2]
        shares = content['share_of_pixels'][path.name]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        for name, share in shares.items():
            k = content['classes'].index(name)
            assert share == pytest.approx((labels == k).mean(), abs=1e-5)
        assert (out / 'pictures' / f'{path.stem}.jpg').is_file()


def test_colours_and_legend():
    image = np.full((40, 60, 3), 100, np.uint8)
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 30:] = 1
    labels[:10, :30] = 255  # no class
    palette = [(255, 0, 0), (0, 0, 255)]
    drawn = draw_labels(image, labels, palette)
    assert (drawn[5, 5] == image[5, 5]).all()
    assert drawn[30, 5, 2] > 150 > drawn[30, 5, 0]  # red, as BGR
    assert drawn[30, 50, 0] > 150 > drawn[30, 50, 2]
    np.testing.assert_allclose(class_shares(labels, 2), [0.375, 0.5])
    picture = show_classes(image, labels, ['road', 'sky'], palette)
    assert picture.shape[:2] == (320, 480 + LEGEND_WIDTH)
    first, second = picture[20, 490:504], picture[44, 490:504]  # the largest first
    assert (first[3] == (255, 0, 0)).all()
    assert (second[3] == (0, 0, 255)).all()


def film(path):
    """A film of two images."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    for _ in range(2):
        writer.write(np.full((64, 96, 3), 99, np.uint8))
    writer.release()
    return path


def test_damaged_pictures_are_named_and_the_others_done(call_tool, onnx, tmp_path):
    folder, out = tmp_path / 'photos', tmp_path / 'out'
    folder.mkdir()
    for name in 'abcd':
        cv2.imwrite(str(folder / f'{name}.png'), np.zeros((64, 48, 3), np.uint8))
    for name in 'bc':
        content = (folder / f'{name}.png').read_bytes()
        (folder / f'{name}.png').write_bytes(content[:20])
    done = call_tool('predict.py', onnx, folder, '--out', out)
    assert_one_line(done, '2 pictures left out', 'c.png')
    assert 'b.png cannot be read' in done.stderr
    assert sorted(path.name for path in (out / 'pictures').iterdir()) == [
        'a.jpg',
        'd.jpg',
    ]
    assert set(poses(out)) == {'a.png', 'd.png'}


def test_pictures_that_a_file_of_boxes_does_not_know(call_tool, onnx, tmp_path):
    for number in (7, 8):
        path = tmp_path / f'{number:012}.png'
        cv2.imwrite(str(path), np.zeros((64, 48, 3), np.uint8))
    boxes = tmp_path / 'boxes.json'
    boxes.write_text('[{"image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9]}]')
    options = ('--boxes', boxes, '--out', tmp_path / 'out')
    done = call_tool('predict.py', onnx, tmp_path, *options)
    assert done.returncode == 0
    assert 'is not about 1 of the 2 pictures' in done.stderr
    assert '000000000008.png' in done.stderr
    assert done.stdout.startswith('1 pose in 2 images')


@pytest.fixture
def black(tmp_path):
    """A picture with nothing in it, which COCO would give the number 7."""
    path = tmp_path / '000000000007.png'
    cv2.imwrite(str(path), np.zeros((64, 48, 3), np.uint8))
    return path


@pytest.fixture
def tiny(repository, tmp_path, monkeypatch):
    """A config of a narrow pose network, and weights for it."""
    monkeypatch.chdir(repository)
    config, weights = narrow(OTHER, tmp_path), tmp_path / 'tiny.pth'
    torch.manual_seed(0)
    model = randomise(build_model(load_config(str(config), {}), str(config)))
    torch.save(dict(state_dict=model.state_dict()), weights)
    return config, weights


def test_boxes_and_poses_of_a_low_score(call_tool, tiny, black, tmp_path):
    boxes, out = tmp_path / 'boxes.json', tmp_path / 'out'
    common = dict(image_id=7, category_id=1)
    boxes.write_text(
        json.dumps(
            [
                dict(common, bbox=[4, 4, 30, 40], score=0.9),
                dict(common, bbox=[9, 9, 20, 40], score=0.5),
            ]
        )
    )
    command = ('predict.py', *tiny, black, '--out', out, '--boxes', boxes)
    assert call_tool(*command).returncode == 0
    assert len(poses(out)[black.name]) == 2
    command = (*command, '--min-box-score', 0.6)
    assert call_tool(*command).returncode == 0
    (person,) = poses(out)[black.name]
    assert person['bbox'] == [4, 4, 30, 40]
    drawn = []
    for least in (person['score'] - 1, person['score'] + 1):
        assert call_tool(*command, '--min-score', least).returncode == 0
        picture = cv2.imread(str(out / 'pictures' / f'{black.stem}.jpg'))
        drawn.append(picture.max() > 100)
        assert poses(out)[black.name] == [person]
    assert drawn == [True, False]


def test_boxes_far_beyond_the_picture(call_tool, tiny, black, tmp_path):
    command = ('predict.py', *tiny, black, '--out', tmp_path / 'out')
    done = call_tool(*command, '--box', -5, 0, 1e9, 1e9)
    assert done.returncode == 0, done.stderr
    ((person,),) = poses(tmp_path / 'out').values()
    assert np.isfinite(person['keypoints']).all()
    done = call_tool(*command, '--box', 0, 0, 1e39, 9)
    assert_one_line(done, '--box', 'numbers up to 1e+09')
    boxes = tmp_path / 'boxes.json'
    listed = [[0, 0, 1e9, 1e9], [5e8, 5e8, 10, 10], [-9, 0, 9, 9]]
    boxes.write_text(json.dumps([dict(image_id=7, bbox=x, score=1) for x in listed]))
    done = call_tool(*command, '--boxes', boxes)
    assert done.returncode == 0, done.stderr
    assert f'warning: {boxes}: 2 boxes outside {black.name} left out' in done.stderr
    assert done.stdout.startswith('1 pose in 1 image')


def test_one_picture_does_not_take_the_others_with_it(call_tool, tiny, tmp_path):
    folder, out = tmp_path / 'photos', tmp_path / 'out'
    folder.mkdir()
    odd = os.fsdecode(b'non\xffutf8.png')
    for name in ('a.png', odd, 'z.png'):
        width = 33_000 if name == 'a.png' else 48
        write_image(folder / name, np.zeros((64, width, 3), np.uint8))
    done = call_tool('predict.py', *tiny, folder, '--out', out)
    assert_one_line(done, 'image a.png: 33000x64 pixels', 'cannot be cut')
    assert set(poses(out)) == {odd, 'z.png'}
    for name in (odd, 'z.png'):
        assert (out / 'pictures' / name).with_suffix('.jpg').is_file()


def test_what_cannot_be_written_ends_the_run(call_tool, tiny, tmp_path):
    folder, out = tmp_path / 'photos', tmp_path / 'out'
    for name in ('a.png', 'b.png', 'c.png'):
        write_image(folder / name, np.zeros((64, 48, 3), np.uint8))
    (out / 'pictures/b.jpg').mkdir(parents=True)  # in the way of a result
    done = call_tool('predict.py', *tiny, folder, '--out', out)
    assert_one_line(done, 'cannot write', out / 'pictures/b.jpg')
    assert set(poses(out)) == {'a.png', 'b.png'}
    assert not (out / 'pictures/c.jpg').exists()


def test_the_device_of_pytorch_and_settings(call_tool, tiny, black, tmp_path):
    command = ('predict.py', *tiny, black, '--out', tmp_path / 'out')
    done = call_tool(*command, '--device', 'nowhere')
    assert_one_line(done, '--device nowhere cannot be used')
    found = []
    for flips in (True, False):
        options = ('--device', 'cpu', '--cfg-options')
        done = call_tool(*command, *options, f'model.test_cfg.flip_test={flips}')
        assert done.returncode == 0, done.stderr
        found.append(poses(tmp_path / 'out')[black.name][0]['keypoints'])
    assert found[0] != found[1]


def test_the_device_of_a_detector(
    call_tool, tiny, detector, black, tmp_path, monkeypatch
):
    monkeypatch.setattr(detectors, 'default_device', lambda: 'nowhere')
    options = ('--detector', *detector, '--out', tmp_path / 'out')
    done = call_tool('predict.py', *tiny, black, *options)
    assert_one_line(done, 'detector', 'cannot be opened', 'nowhere')
    done = call_tool('predict.py', *tiny, black, *options, '--device', 'cpu')
    assert done.returncode == 0, done.stderr


def test_windows(call_tool, tiny, black, monkeypatch):
    shown = []
    monkeypatch.setattr(windows, 'has_screen', lambda: True)
    monkeypatch.setattr(cv2, 'imshow', lambda _, image: shown.append(image.shape))
    monkeypatch.setattr(cv2, 'waitKey', lambda _: 32)
    done = call_tool('predict.py', *tiny, black, '--show')
    assert done.returncode == 0, done.stderr
    assert shown == [(64, 48, 3)]


def test_mistakes(call_tool, onnx, tinypose, tmp_path):
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), np.zeros((64, 48, 3), np.uint8))
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'broken.mp4').write_bytes(b'no film')
    (tmp_path / 'none.json').write_text('[]')
    (tmp_path / 'text.json').write_text('boxes')
    (tmp_path / 'text.onnx').write_text('no graph')
    cv2.imwrite(str(tmp_path / 'image.jpg'), np.zeros((64, 48, 3), np.uint8))
    out = ('--out', tmp_path / 'out')
    (tmp_path / 'other.json').write_text(
        '[{"image_id": 9, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}]'
    )
    (tmp_path / 'few.json').write_text('[{"image_id": 9, "bbox": [0, 0, 9]}]')
    (tmp_path / 'film.mp4').write_bytes(film(tmp_path / 'made.mp4').read_bytes())
    names = ('none', 'text', 'other', 'few')
    none, text, other, few = (('--boxes', tmp_path / f'{x}.json') for x in names)
    picture = ('--boxes', tmp_path / 'image.jpg')
    detector = 'configs/examples/faster-rcnn_litehrnet-18_fpn_1x_coco.py'
    cases = [
        ((onnx, image), ['--out', '--show']),
        ((onnx, *out), ['needs an input']),
        ((POSE, image, *out), [POSE, 'needs a checkpoint and an input']),
        ((image, *out), ['.onnx', 'image.png']),
        ((onnx, tmp_path / 'empty', *out), ['no pictures', 'empty']),
        ((onnx, tmp_path / 'nowhere.jpg', *out), ['no such picture', 'nowhere.jpg']),
        ((onnx, tmp_path / 'broken.mp4', *out), ['video', 'broken.mp4', 'damaged']),
        ((tmp_path / 'text.onnx', image, *out), ['text.onnx', 'cannot be opened']),
        ((OTHER, tinypose, image, *out), ['does not fit', 'wider-naive']),
        ((onnx, image, *none, *out), ['none.json', 'no boxes']),
        ((onnx, image, *text, *out), ['text.json', 'not valid JSON']),
        ((onnx, image, *picture, *out), ['image.jpg', 'no text in UTF-8']),
        ((onnx, image, *few, *out), ['few.json: entry 0', '[0, 0, 9]']),
        ((onnx, image, *other, *out), ['other.json is about none', 'image.png']),
        ((onnx, tmp_path / 'film.mp4', *other, *out), ['film.mp4 is a film']),
        ((onnx, image, '--detector', detector, tinypose, *out), ['does not fit']),
        ((onnx, image, '--detector', POSE, tinypose, *out), ['config of mmpose']),
        ((onnx, image, '--device', 'cpu', *out), ['--device', 'ONNX file']),
        ((onnx, image, '--box', 'nan', 2, 3, 4, *out), ['--box', 'numbers']),
        ((onnx, image, '--box', 900, 2, 3, 4, *out), ['outside image.png', '48x64']),
        (
            (onnx, image, *text, '--box', 1, 2, 3, 4, *out),
            ['--box and --detector'],
        ),
        ((onnx, image, '--detector', 'a.py', 'b.pth', *out), ['detector a.py']),
        ((onnx, image, '--box', 1, 2, 0, 4, *out), ['--box', 'above 0']),
        ((onnx, image, tmp_path / 'image.jpg', *out), ['results of one name']),
    ]
    for arguments, words in cases:
        done = call_tool('predict.py', *arguments)
        assert_one_line(done, *words)
        assert len(done.stderr) < 2000
    assert not any((tmp_path / 'out').glob('*.json'))
