"""Evaluation of sets with little or nothing in them: defined results, or one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from running import CONFIG, assert_one_line, forget_runs

from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config

CAMVID = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'


@pytest.fixture
def content(coco) -> dict:
    """The annotations of COCO that a test changes."""
    return json.loads((coco / 'person_keypoints_val.json').read_text())


@pytest.fixture
def evaluate(call_tool, coco, tinypose, tmp_path):
    """Evaluate on changed annotations, and on detected boxes if there are any."""

    def run(annotations: dict, boxes: list | None = None, *options: str):
        paths = tmp_path / 'truth.json', tmp_path / 'boxes.json'
        paths[0].write_text(json.dumps(annotations))
        paths[1].write_text(json.dumps(boxes))
        data = 'test_dataloader.dataset'
        return call_tool(
            'test.py', CONFIG, tinypose, '--work-dir', tmp_path,
            '--metrics', tmp_path / 'metrics.json', '--cfg-options',
            f'{data}.data_root={coco}/', f'{data}.ann_file={paths[0]}',
            f'{data}.data_prefix.img=images/', f'test_evaluator.ann_file={paths[0]}',
            f'{data}.bbox_file={None if boxes is None else paths[1]}',
            'test_dataloader.num_workers=0', *options,
        )  # fmt: skip

    return run


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / 'metrics.json').read_text())


def boxes_of(content: dict, count: int = 3) -> list[dict]:
    keys = 'image_id', 'category_id', 'bbox'
    persons = content['annotations'][:count]
    return [dict({key: x[key] for key in keys}, score=0.5) for x in persons]


def without_persons(content: dict, how: str) -> dict:
    """Annotations that count nobody."""
    change = {
        'none': lambda persons: [],
        'crowd': lambda persons: [dict(x, iscrowd=1) for x in persons],
        'unlabelled': lambda persons: [
            dict(x, num_keypoints=0, keypoints=[0] * 51) for x in persons
        ],
    }[how]
    return dict(content, annotations=change(content['annotations']))


def test_one_image_of_one_person(evaluate, content, tmp_path):
    person = content['annotations'][0]
    image = next(x for x in content['images'] if x['id'] == person['image_id'])
    done = evaluate(dict(content, images=[image], annotations=[person]))
    assert done.returncode == 0, done.stderr
    assert 0 < metrics(tmp_path)['coco/AP'] <= 1


@pytest.mark.parametrize(
    ('how', 'words'),
    [
        ('none', "'annotations' is empty"),
        ('crowd', 'no person to look at'),
        ('unlabelled', 'no person to look at'),
    ],
)
def test_nobody_to_look_at(evaluate, content, tmp_path, how, words):
    done = evaluate(without_persons(content, how))
    assert_one_line(done, tmp_path / 'truth.json', words)


@pytest.mark.parametrize('how', ['none', 'crowd', 'unlabelled'])
def test_detected_boxes_and_nobody_to_count(evaluate, content, tmp_path, how):
    done = evaluate(without_persons(content, how), boxes_of(content))
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path)['coco/AP'] == -1
    assert 'AP is -1: the annotations have no person to count' in done.stdout


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda boxes: [], 'boxes.json is empty'),
        (lambda boxes: {'boxes': boxes}, "is no list of COCO's detections"),
        (lambda boxes: [*boxes, dict(boxes[0], image_id=7)], 'entry 3 is of image 7'),
        (lambda boxes: [{'image_id': 785}], 'entry 0 has no image_id, bbox or score'),
        (lambda boxes: [dict(x, category_id=2) for x in boxes], 'no box is left'),
    ],
)
def test_detected_boxes_of_no_use(evaluate, content, tmp_path, change, words):
    done = evaluate(content, change(boxes_of(content)))
    assert_one_line(done, tmp_path / 'boxes.json', words)


@pytest.fixture
def camvid(repository, tmp_path, monkeypatch) -> Path:
    """A data set of one image, whose mask has but one value: void."""
    for name, value in (('images', 90), ('labels', 11)):
        folder = tmp_path / 'camvid' / name / 'val'
        folder.mkdir(parents=True)
        picture = np.full((360, 480), value, np.uint8)
        cv2.imwrite(str(folder / 'one.png'), picture)
    monkeypatch.setenv('CAMVID_ROOT', str(tmp_path / 'camvid'))
    monkeypatch.chdir(repository)
    model = build_model(load_config(CAMVID, {}), CAMVID)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'net.pth')
    forget_runs()
    return tmp_path / 'camvid'


@pytest.mark.parametrize('labelled', [False, True])
def test_one_frame(call_tool, camvid, tmp_path, labelled):
    if labelled:
        mask = np.full((360, 480), 3, np.uint8)
        cv2.imwrite(str(camvid / 'labels/val/one.png'), mask)
    done = call_tool(
        'test.py', CAMVID, tmp_path / 'net.pth', '--work-dir', tmp_path / 'work',
        '--metrics', tmp_path / 'metrics.json',
        '--cfg-options', 'test_dataloader.num_workers=0',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = 'mIoU is NaN: no pixel of the masks has a class' in done.stdout
    assert said is not labelled
    assert np.isnan(metrics(tmp_path)['mIoU']) == (not labelled)


def test_no_frame_at_all(call_tool, camvid, tmp_path):
    shutil.rmtree(camvid / 'images/val')
    (camvid / 'images/val').mkdir()
    done = call_tool('test.py', CAMVID, tmp_path / 'net.pth')
    assert_one_line(done, camvid / 'images/val', 'no ')
