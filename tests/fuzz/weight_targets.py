"""Readers of weights: Paddle's, PyTorch's, and checkpoints to resume from."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_pickles import hide
from isolation import Files, Input
from mutations import BYTES, TEXT
from target import Target, same
from torch import nn

from litehrnet_mm.checkpoints.compare import report
from litehrnet_mm.checkpoints.convert import converted, read_foreign
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.checkpoints.pdparams import NAME_TABLE, read_pdparams
from litehrnet_mm.checkpoints.pickles import check_pickle
from litehrnet_mm.checkpoints.targets import Target as Model
from litehrnet_mm.engine.whole_files import newest_checkpoint


def small_net(seed: int) -> nn.Module:
    """A network with the names of a pose estimator's, and few weights."""
    torch.manual_seed(seed)
    net = nn.Module()
    net.backbone = nn.Module()
    net.backbone.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    net.backbone.stage0 = nn.Sequential(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2))
    net.head = nn.Module()
    net.head.final_layer = nn.Conv2d(2, 3, 1)
    return net


@cache
def model() -> Model:
    """What the small network's checkpoints have to hold."""
    return Model('the small network', small_net(0).state_dict())


def describe_weights(weights: dict[str, torch.Tensor]) -> dict[str, tuple]:
    """Of each entry shape, type, whether it is finite, and its bytes."""
    return {
        key: (
            tuple(value.shape),
            str(value.dtype),
            bool(torch.isfinite(value).all()),
            value.numpy().tobytes(),
        )
        for key, value in weights.items()
    }


def shapes_of(found: dict[str, tuple]) -> dict[str, tuple]:
    """What was read but for the numbers themselves."""
    return {key: value[:3] for key, value in found.items()}


def convert(source: str, path: Path) -> dict[str, tuple]:
    """Read a file as tools/convert_checkpoint.py does; its entries."""
    foreign = read_foreign(source, path)
    differences = model().differences(foreign.weights)
    report(path, differences, 'the small network', listing=False)
    return describe_weights(converted(foreign, model(), differences)[0])


def judge_shapes(expected: Any, found: Any, item: Input) -> str:
    """A format without sums: all but the numbers must be as it was."""
    return same(shapes_of(expected), shapes_of(found), item)


def state_dict(seed: int) -> dict[str, torch.Tensor]:
    """Weights of the small network."""
    return small_net(seed).state_dict()


def training_state(seed: int) -> dict[str, Any]:
    """A checkpoint of MMEngine, with what it resumes from."""
    return dict(
        meta=dict(epoch=seed + 1, iter=20, seed=seed, dataset_meta=dict(x=np.ones(2))),
        state_dict=state_dict(seed),
        message_hub=dict(log_scalars={}, runtime_info=dict(epoch=1), resumed_keys={}),
        optimizer=dict(state={0: dict(step=torch.tensor(20.0))}, param_groups=[]),
    )


def saved(content: Any, zipped: bool = True) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def old_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights with the names of the official repository."""
    return {k.replace('head.', 'keypoint_head.'): v for k, v in weights.items()}


def pth_seeds() -> list[Files]:
    """Checkpoints of this project, of MMPose 0.x, and bare weights."""
    contents = (training_state(0), dict(state_dict=old_names(state_dict(1))))
    return [{'x.pth': saved(content)} for content in (*contents, state_dict(2))]


def legacy_seeds() -> list[Files]:
    """The same as PyTorch before 1.6 wrote them: pickles, then numbers."""
    contents = (training_state(0), dict(state_dict=old_names(state_dict(1))))
    return [{'x.pth': saved(content, False)} for content in contents]


def rezipped(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change a record of a checkpoint, all sums right: what a hostile writer does."""
    source = zipfile.ZipFile(io.BytesIO(data))
    records = {name: source.read(name) for name in source.namelist()}
    name = next(x for x in records if x.endswith('data.pkl'))
    if chance.random() < 0.2:
        name = chance.choice(list(records))
    change = BYTES[chance.choice(list(BYTES))]
    hidden = name.endswith('data.pkl') and chance.random() < 0.6
    old = records[name]
    records[name] = hide(old, chance) if hidden else change(old, old, chance)
    return zip_of(records, chance)


def repacked(data: bytes, pickled: bytes) -> bytes:
    """A checkpoint with another pickle in it, all sums right."""
    source = zipfile.ZipFile(io.BytesIO(data))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name in source.namelist():
            own = name.endswith('data.pkl')
            archive.writestr(name, pickled if own else source.read(name))
    return buffer.getvalue()


def zip_of(records: dict[str, bytes], chance: random.Random) -> bytes:
    """A checkpoint of records; now and then packed, lacking one, or with a bomb."""
    how = chance.random()
    if how < 0.1:
        records.pop(chance.choice(list(records)))
    elif how < 0.15:
        last = next(x for x in reversed(records) if '/data/' in x)
        records[last] = bytes(100_000_000)
    packed = zipfile.ZIP_DEFLATED if how < 0.3 else zipfile.ZIP_STORED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', packed) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def hostile_legacy(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A checkpoint of the old form whose fourth pickle is hostile."""
    ends = [0]
    for _ in range(4):
        ends.append(check_pickle(data, ends[-1]))
    content = data[ends[3] : ends[4]]
    return data[: ends[3]] + hide(content, chance) + data[ends[4] :]


def hostile(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A pickle with hostile opcodes in it."""
    return hide(data, chance)


def paddle_seeds() -> list[Files]:
    """What ``paddle.save`` writes, in two protocols."""
    seeds = []
    for seed, protocol in ((0, 2), (1, 4)):
        weights = {
            paddle_name(key): value.numpy()
            for key, value in state_dict(seed).items()
            if not key.endswith('num_batches_tracked')
        }
        weights[NAME_TABLE] = dict.fromkeys(weights, 'linear_0.w_0')
        seeds.append({'x.pdparams': pickle.dumps(weights, protocol)})
    return seeds


def shared(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Give one array many names, so that a small file has arrays of any size."""
    content = pickle.loads(data)
    name = chance.choice([key for key in content if key != NAME_TABLE])
    large = np.tile(content[name], chance.choice((1, 1000)))
    names = {f'{name}.{k}': large for k in range(chance.choice((2, 300)))}
    return pickle.dumps({**content, **names}, chance.choice((2, 4)))


def read_arrays(folder: Path) -> int:
    """Bytes of all arrays of a file."""
    return sum(x.nbytes for x in read_pdparams(folder / 'x.pdparams').values())


def judge_arrays(expected: int, found: int, item: Input) -> str:
    """No more than there is in the file."""
    size = len(item.files['x.pdparams'])
    return '' if found <= size else f'{found} bytes of arrays from {size}'


def paddle_name(key: str) -> str:
    """The name that an entry has in Paddle."""
    key = key.replace('running_mean', '_mean').replace('running_var', '_variance')
    return key.replace('head.final_layer', 'final_conv')


def resume_seeds() -> list[Files]:
    """A work folder with two checkpoints."""
    return [
        {
            'epoch_2.pth': saved(training_state(1)),
            'epoch_1.pth': saved(training_state(0)),
            'last_checkpoint': b'/nowhere/epoch_2.pth',
        }
    ]


def resume(folder: Path) -> tuple:
    """What a run would go on from, and that it can be read."""
    newest, damaged = newest_checkpoint(folder)
    content = read_checkpoint(newest)
    weights = describe_weights(content['state_dict'])
    return newest.name, [x.name for x in damaged], content['meta']['epoch'], weights


def judge_resume(expected: Any, found: Any, item: Input) -> str:
    """The newest exactly as it was, or, that being damaged, the one before it."""
    if found == expected:
        return ''
    before = resume_seeds()[0]['epoch_1.pth']
    content = torch.load(io.BytesIO(before), weights_only=True)
    weights = describe_weights(content['state_dict'])
    named = item.files['last_checkpoint'].decode(errors='replace').strip()
    passed_over = found[1] == ['epoch_2.pth'] or named.endswith('epoch_1.pth')
    is_older = found[0] == 'epoch_1.pth' and found[2:] == (1, weights)
    return '' if is_older and passed_over else f'goes on from {found[:3]}'


def read_pth(folder: Path) -> dict[str, tuple]:
    """Entries of a checkpoint of PyTorch."""
    return convert('auto', folder / 'x.pth')


TARGETS = [
    Target('paddle', paddle_seeds, 'x.pdparams', {**BYTES, 'hostile': hostile},
           lambda folder: convert('paddle', folder / 'x.pdparams'), judge_shapes),
    Target('paddle, arrays', paddle_seeds, 'x.pdparams', {'shared': shared},
           read_arrays, judge_arrays),
    Target('pth', pth_seeds, 'x.pth', BYTES, read_pth, same),
    Target('pth, sums right', pth_seeds, 'x.pth', {'rezipped': rezipped}, read_pth,
           judge_shapes),
    Target('pth, old form', legacy_seeds, 'x.pth',
           {**BYTES, 'hostile': hostile_legacy}, read_pth, judge_shapes),
    Target('resumed checkpoint', resume_seeds, 'epoch_2.pth', BYTES, resume,
           judge_resume),
    Target('last_checkpoint', resume_seeds, 'last_checkpoint', TEXT, resume,
           judge_resume),
]  # fmt: skip
