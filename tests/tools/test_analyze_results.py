"""``tools/analyze_results.py`` on made-up people (see also test_train_and_test.py)."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
from made_up import annotation, pose, sample, write_dump, write_set
from running import LITE_CONFIG, assert_one_line, on

SUBMISSION = 'configs/pose/coco_test-dev/'
SUBMISSION += 'td-hm_litehrnet-18_8xb32-210e_coco-test-dev-384x288.py'
MPII = 'configs/pose/mpii/td-hm_litehrnet-18_8xb32-210e_mpii-256x256.py'


@pytest.fixture
def made_up(tmp_path):
    """Three persons, one of them missed; the options for the data, and the dump."""
    places = [pose(10, 10, 1), pose(70, 10, 2), pose(140, 10, 3)]
    numbers = (1, 2, 3)
    write_set(tmp_path / 'set', [annotation(n, 1, p) for n, p in zip(numbers, places)])
    predictions = [sample(1, 1, places[0]), sample(2, 1, places[1] + np.array([12, 0]))]
    return on(tmp_path / 'set', 'test'), write_dump(tmp_path / 'x.pkl', predictions)


def test_tables_json_and_pictures(call_tool, made_up, tmp_path):
    options, dump = made_up
    out = tmp_path / 'new' / 'out'
    done = call_tool(
        'analyze_results.py', LITE_CONFIG, dump, '--out', out, '--cfg-options', *options
    )
    assert done.returncode == 0, done.stderr
    assert '3 persons with labelled keypoints on 2 images: 1 matched' in done.stdout
    assert 'images without any prediction: 1' in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    (nose,) = [row for row in rows if row and row[0] == 'nose']
    assert nose[1:3] == ['3', '2']
    (row,) = [row for row in rows if row[:4] == ['32', 'to', '64', 'px']]
    assert row[4:7] == ['32', '64', '3']
    found = json.loads((out / 'analysis.json').read_text())
    assert found['counts'] == dict(
        images=2, images_without_prediction=1, persons=3,
        matched=1, inaccurate=1, missed=1, false=0,
    )  # fmt: skip
    assert row[7:] == [f'{found["sizes"][4][key]:.3f}' for key in ('ap', 'ar')]
    assert [one['state'] for one in found['worst']] == [
        'missed',
        'inaccurate',
        'matched',
    ]
    assert [one['annotation_id'] for one in found['worst']] == [3, 2, 1]
    sheet, chart = (
        cv2.imread(str(out / f'{name}.png')) for name in ('worst', 'keypoints')
    )
    assert sheet.shape[1] > 1800  # three persons, each twice
    assert chart.std() > 10


def test_the_number_of_the_worst(call_tool, made_up, tmp_path):
    options, dump = made_up
    done = call_tool(
        'analyze_results.py', LITE_CONFIG, dump, '--out', tmp_path / 'out',
        '--worst', 1, '--cfg-options', *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / 'out/analysis.json').read_text())
    assert [one['annotation_id'] for one in found['worst']] == [3]
    assert 600 <= cv2.imread(str(tmp_path / 'out/worst.png')).shape[1] < 700


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (MPII, ['MpiiPCKAccuracy', 'CocoMetric']),
        (SUBMISSION, ['CocoSubmission', 'CocoMetric']),
        ('configs/absent.py', ['config not found']),
    ],
)
def test_a_config_without_coco_metric(call_tool, made_up, tmp_path, config, words):
    _, dump = made_up
    done = call_tool('analyze_results.py', config, dump, '--out', tmp_path / 'out')
    assert_one_line(done, *words)


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('test_evaluator.format_only=True', ['format_only', 'without annotations']),
        ('test_evaluator.iou_type=keypoints_crowd', ['keypoints_crowd']),
        ('test_evaluator.ann_file=absent.json', ['absent.json', 'not found']),
        ('test_dataloader.dataset.ann_file=absent.json', ['absent.json', 'not found']),
        ('test_evaluator.ann_file={broken}', ['broken.json', 'cannot be used']),
        ('test_evaluator.ann_file={bare}', ['bare.json', 'annotations']),
    ],
)
def test_annotations_that_cannot_serve(call_tool, made_up, tmp_path, option, words):
    options, dump = made_up
    files = {name: tmp_path / f'{name}.json' for name in ('broken', 'bare')}
    files['broken'].write_text('{"images": [')
    files['bare'].write_text('{"images": []}')
    done = call_tool(
        'analyze_results.py', LITE_CONFIG, dump, '--out', tmp_path / 'out',
        '--cfg-options', *options, option.format(**files),
    )  # fmt: skip
    assert_one_line(done, *words)


def test_wrong_dumps_and_options(call_tool, made_up, tmp_path):
    options, dump = made_up

    def fails(*words, file=dump, out=tmp_path / 'out', more=()):
        done = call_tool(
            'analyze_results.py', LITE_CONFIG, file, '--out', out, *more,
            '--cfg-options', *options,
        )  # fmt: skip
        assert_one_line(done, *words)

    absent, empty = tmp_path / 'absent.pkl', write_dump(tmp_path / 'empty.pkl', [])
    fails(absent, 'not found', file=absent)
    fails(empty, 'no predictions', file=empty)
    other = write_dump(tmp_path / 'other.pkl', [sample(1, 77, pose(0, 0))])
    fails('not of this data set', 'image 77', file=other)
    fails('--worst', more=('--worst', 0))
    fails('cannot write', dump, out=dump / 'out')
    os.remove(tmp_path / 'set/images/000000000001.jpg')
    fails('000000000001.jpg')
