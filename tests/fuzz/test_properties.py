"""What holds for whatever a file says: properties of the readers."""

from __future__ import annotations

import collections
import json
import pickle

import numpy as np
import pytest
from coco_targets import numbers, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from other_targets import pose_facts, seg_facts

from litehrnet_mm.analysis.logs import read_log
from litehrnet_mm.checking.coco_file import read_coco, read_json
from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.checkpoints.ncnn import read_param
from litehrnet_mm.checkpoints.pdparams import read_pdparams
from litehrnet_mm.checkpoints.pickles import HarmfulError, check_pickle
from litehrnet_mm.cli import UserError
from litehrnet_mm.evaluation.coco_submission import check_results
from litehrnet_mm.prediction.boxes import FileBoxes
from litehrnet_mm.prediction.onnx_detector import Preparation
from litehrnet_mm.runtime.facts import read_facts
from litehrnet_mm.values import is_id, shown

# The same examples in each run, and however long one takes on a busy machine.
often = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
KEYS = st.sampled_from(
    (
        *('images', 'annotations', 'categories', 'id', 'image_id', 'category_id'),
        *('file_name', 'width', 'height', 'bbox', 'keypoints', 'num_keypoints'),
        *('area', 'iscrowd', 'score', 'name', 'pipeline', 'tasks', 'transforms'),
        *('type', 'mean', 'std', 'pad_val', 'img', 'Normalize', 'Pad', 'x'),
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5)
    ),
    max_leaves=20,
)
PLAIN = st.recursive(
    SCALARS | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=30,
)
NUMBERS = st.floats(-1e6, 1e6)
SIDES = st.floats(0.5, 1e6)
DEVIATIONS = st.lists(st.floats(0, 1e-6), min_size=3, max_size=3)

BOXES = st.fixed_dictionaries(
    dict(
        image_id=st.integers(0, 9),
        bbox=st.tuples(NUMBERS, NUMBERS, SIDES, SIDES).map(list),
    ),
    optional=dict(
        score=st.floats(0, 1),
        category_id=st.integers(0, 2),
        iscrowd=st.sampled_from((0, 1)),
    ),
)
ODD = st.builds(lambda box, key, value: {**box, key: value}, BOXES, KEYS, SCALARS)


def attempt(read, *args, refusal=UserError):
    """What a reader returns, and ``None``; or ``None``, and how it refuses."""
    try:
        return read(*args), None
    except refusal as error:
        return None, str(error)


@often
@given(PLAIN, st.integers(0, 5), st.booleans())
def test_each_plain_pickle_is_passed_and_its_end_is_found(value, protocol, ordered):
    value = collections.OrderedDict(x=value, array=np.ones(3)) if ordered else value
    data = pickle.dumps(value, protocol)
    assert check_pickle(data) == len(data)
    assert check_pickle(b'xx' + data + b'more', 2) == len(data) + 2
    for end in {len(data) // 2, len(data) - 1}:
        with pytest.raises(HarmfulError):
            check_pickle(data[:end])


@often
@given(st.binary(max_size=400), st.sampled_from((b'', b'\x80\2', b'\x80\4\x95')))
def test_any_bytes_are_refused_or_a_pickle(data, start):
    end, said = attempt(check_pickle, start + data, refusal=HarmfulError)
    assert said or (start + data)[end - 1 : end] == b'.'


@often
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=30),
        st.tuples(
            st.lists(st.integers(1, 3), max_size=4),
            st.sampled_from(['f2', 'f4', 'i8', 'b1']),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(2, 4),
)
def test_arrays_of_paddle_come_back(tmp_path, shapes, protocol):
    arrays = {
        name: np.array(np.arange(np.prod(shape, dtype=int)) % 2, kind).reshape(shape)
        for name, (shape, kind) in shapes.items()
    }
    path = tmp_path / 'x.pdparams'
    path.write_bytes(pickle.dumps(arrays, protocol))
    found = read_pdparams(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@often
@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from(
            (
                '7767517',
                '1 1',
                'Input a 0 1 b',
                'ReLU r 1 1 b c 0=1',
                '0=0 0=1',
                '-23300=1,2',
            )
        )
    ).map('\n'.join)
)
def test_any_text_is_refused_or_a_graph(tmp_path, text):
    path = tmp_path / 'x.param'
    path.write_text(text, encoding='utf-8', errors='replace')
    layers, said = attempt(read_param, path)
    if said:
        assert said.startswith(str(path))
        assert said.isprintable()
    else:
        assert len(layers) == int(text.split()[1])


@often
@given(VALUES)
def test_any_json_comes_back(tmp_path, value):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(value))
    assert json.dumps(read_json(path)) == json.dumps(value)


@often
@given(
    st.fixed_dictionaries(
        dict.fromkeys(('images', 'categories', 'annotations'), st.lists(VALUES))
    )
)
def test_any_annotations_are_refused_in_one_line_or_sound(tmp_path, content):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content))
    _, said = attempt(lambda: check_entries(path, read_coco(path)))
    if said:
        assert str(path) in said
        assert said.isprintable()
    else:
        for entries in content.values():
            assert all(is_id(entry['id']) for entry in entries)


def has_boxes(value: object) -> bool:
    """Whether a list is of boxes, one of them to be taken: its own opinion."""
    if not isinstance(value, list) or not all(isinstance(x, dict) for x in value):
        return False
    sound = all(
        whole(x.get('image_id'))
        and numbers(x.get('bbox'), 4)
        and numbers([*x['bbox'], x.get('score', 1)])
        and whole(x.get('category_id', 1))
        and x.get('iscrowd', 0) in (0, 1)
        for x in value
    )
    return sound and any(
        min(x['bbox'][2:]) > 0
        and x.get('category_id', 1) == 1
        and x.get('score', 1) >= 0
        and not x.get('iscrowd')
        for x in value
    )


def test_any_json_is_refused_as_boxes_or_read(tmp_path):
    path, seen = tmp_path / 'x.json', set()

    @often
    @given(VALUES | st.builds(list.__add__, st.lists(BOXES), st.lists(ODD, max_size=1)))
    def read(value):
        path.write_text(json.dumps(value))
        found, said = attempt(FileBoxes.read, path, 0)
        readable = has_boxes(value)
        seen.add(readable)
        if readable:
            assert found.by_id.keys() <= {x['image_id'] for x in value}
            assert all(np.isfinite(x).all() for x in found.by_id.values())
        else:
            assert str(path) in said
            assert said.isprintable()

    read()
    assert seen == {True, False}


@often
@given(
    st.lists(
        st.fixed_dictionaries(
            dict(
                image_id=st.integers(0, 2**62),
                bbox=st.tuples(NUMBERS, NUMBERS, SIDES, SIDES).map(list),
                score=st.floats(0, 1),
            )
        ),
        min_size=1,
    )
)
def test_each_box_is_read(tmp_path, boxes):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(boxes))
    found = FileBoxes.read(path, 0)
    assert set(found.by_id) == {box['image_id'] for box in boxes}
    assert sum(map(len, found.by_id.values())) == len(boxes)
    for number, rows in found.by_id.items():
        x, y, w, h = next(b for b in boxes if b['image_id'] == number)['bbox']
        np.testing.assert_allclose(
            rows[0, :4], [x, y, x + w, y + h], rtol=1e-6, atol=1e-6
        )


@often
@given(VALUES)
def test_any_json_is_no_submission(value):
    with pytest.raises(UserError, match='submission') as refused:
        check_results(value, [1, 2])
    assert str(refused.value).isprintable()


@often
@given(VALUES | DEVIATIONS, st.sampled_from(('mean', 'std', 'pad_val')))
def test_a_pipeline_is_refused_or_can_be_used(tmp_path, value, key):
    path = tmp_path / 'pipeline.json'
    normalize = dict(type='Normalize', mean=[1, 2, 3], std=[1, 2, 3])
    steps = [dict(normalize, **{key: value}), dict(type='Pad', **{key: value})]
    path.write_text(json.dumps(dict(pipeline=dict(tasks=[dict(transforms=steps)]))))
    found, said = attempt(Preparation.read, path)
    if said:
        assert str(path) in said
        assert said.isprintable()
    else:
        mean, std = (np.array(x, np.float32) for x in (found.mean, found.std))
        scaled = (np.full(3, 255, np.uint8) - mean) / std
        assert np.isfinite(scaled).all()
        assert np.uint8(found.padding) == found.padding


@often
@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats()), min_size=1))
def test_each_line_of_a_log_is_a_row(tmp_path, rows):
    path = tmp_path / 'scalars.json'
    lines = [json.dumps(dict(iter=i, step=i, loss=x)) for i, x in rows]
    path.write_text('\n'.join(lines))
    log = read_log(path, 'run')
    assert [row.iteration for row in log.rows] == [i for i, _ in rows]
    found = [row.values['loss'] for row in log.rows]
    np.testing.assert_array_equal(found, [x for _, x in rows])


@often
@given(VALUES, st.data())
def test_any_fact_is_refused_or_of_its_kind(value, data):
    facts = data.draw(st.sampled_from((pose_facts(), seg_facts())))
    key = data.draw(st.sampled_from(sorted(facts)))
    told = {
        f'litehrnet_mm.{k}': json.dumps(x) for k, x in {**facts, key: value}.items()
    }
    found, said = attempt(read_facts, told, 'x.onnx', refusal=ValueError)
    if said:
        assert 'x.onnx' in said
        assert said.isprintable()
    else:
        kinds = [type(facts[key])]
        kinds += [int, float] if key == 'padding' else []
        kinds += [type(None), float, dict] if key in ('threshold', 'resize') else []
        assert key == 'version' or type(found[key]) in kinds


@often
@given(VALUES | st.integers(10**5000, 10**5001), st.integers(5, 80))
def test_any_value_is_shown_in_a_line(value, length):
    text = shown(value, length)
    assert len(text) <= max(length, 45)
    assert text.isprintable()
