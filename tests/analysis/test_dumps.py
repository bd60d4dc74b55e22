"""What ``tools/test.py --dump`` wrote is read, and nothing in it is run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch
from made_up import pose, sample, write_dump

from litehrnet_mm.analysis.dumps import read_dump
from litehrnet_mm.cli import UserError


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_arrays_tensors_and_plain_values_come_back(tmp_path, protocol):
    points = pose(20, 20)
    extra = dict(tensor=torch.arange(3.0), flag=np.float32(0.5), lists=[(1, 'x', None)])
    path = tmp_path / 'dump.pkl'
    path.write_bytes(pickle.dumps([sample(7, 1, points, extra=extra)], protocol))
    (found,) = read_dump(path)
    assert found['id'] == 7
    assert np.array_equal(
        found['pred_instances']['keypoints'][0], points.astype(np.float32)
    )
    assert torch.equal(found['extra']['tensor'], extra['tensor'])
    assert found['extra']['flag'] == 0.5
    assert found['extra']['lists'] == [(1, 'x', None)]


@pytest.mark.parametrize(
    ('function', 'name'),
    [(os.mkdir, 'posix.mkdir'), (eval, 'eval'), (getattr, 'getattr')],
)
def test_a_dump_that_would_run_code_is_refused_unread(tmp_path, function, name):
    trap = tmp_path / 'trap'
    args = {os.mkdir: (str(trap),), eval: (f'open({str(trap)!r}, "w")',)}
    call = Call(function, *args.get(function, ('', 'upper')))
    path = write_dump(tmp_path / 'dump.pkl', [sample(1, 1, pose(0, 0), extra=call)])
    with pytest.raises(UserError, match=f'{path} refers to .*{name}.* run code'):
        read_dump(path)
    assert not trap.exists()


def test_code_within_the_bytes_of_a_tensor_is_refused_too(tmp_path):
    """PyTorch's own loader of storages unpickles whatever they hold."""
    trap = tmp_path / 'trap'
    inner = tmp_path / 'inner.pt'
    torch.save(Call(os.mkdir, str(trap)), inner)
    call = Call(torch.storage._load_from_bytes, inner.read_bytes())
    path = write_dump(tmp_path / 'dump.pkl', [call])
    with pytest.raises(UserError, match=str(path)):
        read_dump(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ('samples', 'words'),
    [
        ([], 'holds no predictions'),
        ([dict(id=1, img_id=1)], 'not hold the predictions of a pose estimator'),
        ({'state_dict': {}}, 'not hold the predictions of a pose estimator'),
    ],
)
def test_a_dump_of_something_else(tmp_path, samples, words):
    path = write_dump(tmp_path / 'dump.pkl', samples)
    with pytest.raises(UserError, match=f'{path} .*{words}'):
        read_dump(path)


def test_a_damaged_dump(tmp_path):
    path = write_dump(tmp_path / 'dump.pkl', [sample(1, 1, pose(0, 0))])
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=f'{path} is damaged'):
            read_dump(path)
    with pytest.raises(UserError, match='predictions not found'):
        read_dump(tmp_path / 'absent.pkl')


@pytest.mark.parametrize(
    'opcodes',
    [
        b'Nr\xff\xff\xff\x7f',  # a place in the memo that takes 32 GB
        b'}(K\1' + b'\x85' * 300_000 + b'Nu',  # hashing it leaves the stack
        b'}(K\1q\x63' + b'h\x63h\x63\x86q\x63' * 60 + b'Nu',  # and this never ends
    ],
)
def test_bombs(tmp_path, opcodes):
    whole = write_dump(tmp_path / 'dump.pkl', [sample(1, 1, pose(0, 0))]).read_bytes()
    path = tmp_path / 'bomb.pkl'
    path.write_bytes(whole[:2] + opcodes + b'0' + whole[2:])
    with pytest.raises(UserError, match=f'{path} is damaged'):
        read_dump(path)


@pytest.mark.parametrize(
    'change',
    [
        lambda one: one['pred_instances']['keypoints'].fill(np.nan),
        lambda one: one['gt_instances']['bbox_scores'].fill(np.inf),
        lambda one: one['gt_instances'].update(bboxes=np.ones(4)),
        lambda one: one['gt_instances'].update(bbox_scores=np.ones(2)),
        lambda one: one.update(img_id='1'),
        lambda one: one.update(id=None),
        lambda one: one['pred_instances'].update(keypoints=[[1, 2]]),
    ],
)
def test_samples_that_are_no_numbers(tmp_path, change):
    one = sample(1, 1, pose(0, 0))
    change(one)
    path = write_dump(tmp_path / 'dump.pkl', [one])
    with pytest.raises(UserError, match='not hold the predictions'):
        read_dump(path)


@pytest.mark.parametrize('persons', [2, 10**6, 10**15])
def test_tensors_that_claim_more_than_is_there(tmp_path, persons):
    """Their numbers repeat by strides; to look at each would take any memory."""
    one = sample(1, 1, pose(0, 0))
    points = torch.zeros(1).as_strided((persons, 17, 2), (0, 0, 0))
    one['pred_instances'].update(keypoints=points, keypoint_scores=points[..., 0])
    one['gt_instances'] = {}
    path = write_dump(tmp_path / 'dump.pkl', [one])
    with pytest.raises(UserError, match='not hold the predictions'):
        read_dump(path)
    one['pred_instances'].update(
        keypoints=torch.zeros(2, 17, 2), keypoint_scores=torch.ones(2, 17)
    )
    assert read_dump(write_dump(path, [one]))[0]['pred_instances'].keys()


@pytest.mark.parametrize('kind', [object, 'U1', 'c8', [('x', 'f4')], 'M8[s]'])
def test_arrays_of_no_plain_numbers(tmp_path, kind):
    one = sample(1, 1, pose(0, 0), extra=np.zeros(2, kind))
    path = write_dump(tmp_path / 'dump.pkl', [one])
    with pytest.raises(UserError, match=f'{path} .*numbers of type'):
        read_dump(path)


def test_more_behind_a_dump(tmp_path):
    path = write_dump(tmp_path / 'dump.pkl', [sample(1, 1, pose(0, 0))])
    path.write_bytes(path.read_bytes() + b'x')
    with pytest.raises(UserError, match='more after its end'):
        read_dump(path)


def test_samples_of_whole_images_have_lists_of_ids(tmp_path):
    one = sample(1, 1, pose(0, 0))
    one['id'] = [1, 2]
    path = write_dump(tmp_path / 'dump.pkl', [one])
    assert read_dump(path)[0]['id'] == [1, 2]
