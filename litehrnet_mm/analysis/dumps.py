"""Reading what ``tools/test.py --dump`` wrote, without running what is in it."""

from __future__ import annotations

import io
import os
import pickle
from typing import Any

import numpy as np
import torch

from litehrnet_mm.checkpoints.archives import check_archive, check_old_form, is_archive
from litehrnet_mm.checkpoints.files import is_finite, is_plain_tensor, is_repeated
from litehrnet_mm.checkpoints.pickles import HarmfulError, check_pickle
from litehrnet_mm.checkpoints.plain_arrays import stand_ins
from litehrnet_mm.cli import UserError
from litehrnet_mm.files import read_regular
from litehrnet_mm.values import is_id, shown

NUMPY = stand_ins()
MOST_OPCODES = 100_000_000
"""Twice what the 104,125 boxes of COCO val2017 have, which a detector found."""
USED = dict(bboxes=(4,), bbox_scores=(), bbox_scales=(2,))
"""What MMPose's ``CocoMetric`` takes of a sample beside its keypoints: by name, the
shape of a person's."""
TORCH = frozenset({'_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter'})


def read_dump(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Read the predictions of a pose estimator.

    A pickle can run any code when it is read. This one may hold arrays, tensors and
    plain values only.

    Args:
        path: What MMEngine's ``DumpResults`` wrote.

    Returns:
        The data samples of MMPose as nested dicts.

    Raises:
        UserError: If there is no such file, it cannot be read, refers to anything
            else, is damaged, or holds no predicted keypoints.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError as error:
        raise UserError(
            f'predictions not found: {path} (tools/test.py --dump {path})'
        ) from error
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    try:
        if check_pickle(data, most=MOST_OPCODES) != len(data):
            raise HarmfulError('there is more after its end')
        samples = _PlainUnpickler(io.BytesIO(data)).load()
    except (HarmfulError, pickle.UnpicklingError) as error:
        raise UserError(
            f'{path} is damaged or no dump ({shown(str(error), 200)})'
        ) from error
    except _RefusedError as error:
        raise UserError(
            f'{path} refers to {shown(str(error))}, which no dump does: not read, '
            'since it could run code'
        ) from error
    except Exception as error:  # of any kind: a damaged pickle can raise them all
        raise UserError(f'{path} is damaged or no dump') from error
    if samples == []:
        raise UserError(f'{path} holds no predictions: the run saw no image')
    if not isinstance(samples, list) or not all(map(_is_prediction, samples)):
        raise UserError(f'{path} does not hold the predictions of a pose estimator')
    return samples


class _RefusedError(Exception):
    """The name of what a pickle must not use."""


class _PlainUnpickler(pickle.Unpickler):
    """Knows the builders of arrays and tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if f'{module}.{name}' in NUMPY:
            return NUMPY[f'{module}.{name}']
        known = {('_codecs', 'encode'), ('collections', 'OrderedDict')}
        if (module, name) in known or (name in TORCH and module == 'torch._utils'):
            return super().find_class(module, name)
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return _load_storage  # torch's own would unpickle anything
        raise _RefusedError(f'{module}.{name}')


def _load_storage(content: bytes) -> Any:
    if is_archive(content):
        check_archive(io.BytesIO(content), len(content))
    else:
        check_old_form(content)
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def _is_prediction(sample: object) -> bool:
    if not isinstance(sample, dict) or not {'id', 'img_id'} <= sample.keys():
        return False
    ids = sample['id'] if isinstance(sample['id'], list) else [sample['id']]
    if not all(map(_is_whole, [*ids, sample['img_id']])):
        return False
    parts = [sample.get(key) for key in ('pred_instances', 'gt_instances')]
    if not all(isinstance(part, dict) for part in parts):
        return False
    values = [parts[0].get(key) for key in ('keypoints', 'keypoint_scores')]
    if not all(map(_is_finite, values)) or not all(map(_are_of_persons, parts)):
        return False
    shapes = [tuple(value.shape) for value in values]
    return len(shapes[0]) == 3 and shapes[0][2] == 2 and shapes[1] == shapes[0][:2]


def _are_of_persons(part: dict[str, Any]) -> bool:
    """Whether what is used of the instances is of one number of persons."""
    used = {key: part[key] for key in USED if key in part}
    if not all(map(_is_finite, used.values())):
        return False
    shapes = {key: tuple(value.shape) for key, value in used.items()}
    counts = {shape[:1] for shape in shapes.values()}
    return len(counts) <= 1 and all(x[1:] == USED[key] for key, x in shapes.items())


def _is_whole(value: object) -> bool:
    return is_id(int(value) if isinstance(value, np.integer) else value)


def _is_finite(value: object) -> bool:
    """Whether a value is an array or a tensor of numbers, none of them inf or NaN."""
    if is_plain_tensor(value):
        return not is_repeated(value) and is_finite(value)
    plain = isinstance(value, np.ndarray) and value.dtype.kind in 'fiub'
    return plain and bool(np.isfinite(value).all())
