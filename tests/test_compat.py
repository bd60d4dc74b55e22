"""What the package changes on import, in processes of their own where it matters."""

import builtins
import io
import json
import logging
import os
import pickle
import pickletools
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import load_from_local

from litehrnet_mm import compat
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError

NUMPY_MODULES = ('numpy.core.multiarray', 'numpy._core.multiarray')
NUMBERS = ['bool', *(f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32))]
NUMBERS += ['int64', 'uint64', 'float16', 'float32', 'float64']


def installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


only_lite = pytest.mark.skipif(installed('mmcv'), reason='full mmcv is installed')


def run_script(script: str, repository: Path, *arguments) -> str:
    """Run Python code in a fresh process; its standard output."""
    path = os.pathsep.join([str(repository), os.environ.get('PYTHONPATH', '')])
    process = subprocess.run(
        [sys.executable, '-c', script, *map(str, arguments)],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


# --- compiled operators ---------------------------------------------------------------

OPENMMLAB = """
import json, logging, sys

lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append([record.levelname, record.getMessage()])
logger = logging.getLogger('litehrnet_mm.compat')
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)

from litehrnet_mm.compat import MissingOperatorError, apply_compat
apply_compat()  # as reading a checkpoint does, before MMEngine was imported
import mmcv.ops, mmdet.models, mmpose.models, mmseg.models, mmpretrain.models
import torch
from mmengine.utils.dl_utils import mmcv_full_available
apply_compat()

def error_of(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return [type(error).__name__, str(error)]

boxes = torch.tensor([[0., 0., 9., 9.], [0., 0., 8., 8.]])
image = torch.zeros(1, 3, 8, 8)
rois = torch.tensor([[0., 0., 0., 4., 4.]])
print(json.dumps(dict(
    log=lines,
    extension='mmcv._ext' in sys.modules,
    full=mmcv_full_available(),
    softnms=error_of(mmcv.ops.soft_nms, boxes, torch.tensor([.9, .8])),
    roi_pool_forward=error_of(mmcv.ops.roi_pool, image, rois, 2),
    get_compiler_version=error_of(mmcv.ops.get_compiler_version),
    resolved=[
        str(package.registry.MODELS.get('litehrnet_mm.LiteHRNet'))
        for package in (mmdet, mmpose, mmseg, mmpretrain)
    ],
)))
"""


@pytest.fixture(scope='module')
def openmmlab(repository) -> dict:
    """What a process saw that imported all of OpenMMLab after this package."""
    return json.loads(run_script(OPENMMLAB, repository).splitlines()[-1])


@only_lite
@pytest.mark.parametrize(
    'operator', ['softnms', 'roi_pool_forward', 'get_compiler_version']
)
def test_missing_operator_names_itself_and_the_way_out(openmmlab, operator):
    kind, message = openmmlab[operator]
    assert kind == 'MissingOperatorError'
    assert f"'{operator}'" in message
    assert 'pip install "mmcv>=2.1.0,<2.2.0"' in message
    assert '\n' not in message


@only_lite
def test_mmengine_still_sees_mmcv_lite(openmmlab):
    assert openmmlab['extension'] is False
    assert openmmlab['full'] is False


@only_lite
def test_every_part_is_logged_once_at_debug_level(openmmlab):
    levels, messages = zip(*openmmlab['log'])
    assert set(levels) == {'DEBUG'}
    assert ['stand-ins' in message for message in messages] == [True, False]
    assert ['allow-listed' in message for message in messages] == [False, True]


def test_backbone_resolves_from_every_project(openmmlab):
    backbone = "<class 'litehrnet_mm.models.litehrnet.LiteHRNet'>"
    assert openmmlab['resolved'] == [backbone] * 4


@pytest.fixture
def not_applied(monkeypatch):
    """``compat`` as before its first use; what it replaces is put back."""
    from mmcv.utils import ext_loader

    def original(name, funcs):
        raise NotImplementedError

    monkeypatch.setattr(compat, '_applied', False)
    monkeypatch.setattr(ext_loader, 'load_ext', original)
    return lambda: ext_loader.load_ext is original


@pytest.mark.parametrize('compiled', [True, False])
def test_loader_is_replaced_only_without_the_extension(
    not_applied, monkeypatch, compiled
):
    monkeypatch.setattr(compat, 'has_compiled_ops', lambda: compiled)
    compat.apply_compat()
    assert not_applied() is compiled


def test_nothing_is_replaced_where_there_is_no_mmcv(not_applied, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, 'mmcv', None)  # as if it were not installed
    with caplog.at_level(logging.DEBUG, logger='litehrnet_mm.compat'):
        compat.apply_compat()
    assert not_applied()
    assert len(caplog.records) == 1
    assert 'torch.load' in caplog.text


def test_second_call_does_nothing(not_applied, monkeypatch, caplog):
    calls = []
    monkeypatch.setattr(compat, 'has_compiled_ops', lambda: False)
    monkeypatch.setattr(
        compat, 'provide_operator_stand_ins', lambda: calls.append('operators')
    )
    with caplog.at_level(logging.DEBUG, logger='litehrnet_mm.compat'):
        compat.apply_compat()
        compat.apply_compat()
    assert calls == ['operators']
    assert len(caplog.records) == 2


def test_a_part_that_failed_is_tried_again(not_applied, monkeypatch):
    def fail() -> None:
        raise OSError('once')

    with monkeypatch.context() as patch:
        patch.setattr(compat, 'checkpoint_types', fail)
        with pytest.raises(OSError, match='once'):
            compat.apply_compat()
    compat.apply_compat()
    assert compat._applied


def test_a_checkpoint_is_read_before_anything_else(not_applied, tmp_path):
    known = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.save(dict(state_dict=dict(a=torch.ones(1)), b=np.float64(2)), tmp_path / 'x')
    try:
        assert read_checkpoint(tmp_path / 'x')['b'] == 2
    finally:
        torch.serialization.add_safe_globals(known)


# --- checkpoints ----------------------------------------------------------------------

TRAINING = """
import sys
import litehrnet_mm
import numpy as np
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

class Points(Dataset):
    metainfo = dict(
        sigmas=np.array([.026, .107], np.float32), colors=np.eye(3, dtype=np.uint8),
        count=np.int64(2), flips=np.array([1, 0]), area=np.float64(.5),
        visible=np.array([True, False]), swap=np.bool_(True),
    )
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return dict(inputs=torch.full((2,), float(index)))

class Net(BaseModel):
    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    def forward(self, inputs, mode='tensor'):
        out = self.layers(torch.stack(inputs))
        return dict(loss=out.pow(2).mean()) if mode == 'loss' else list(out)

class Score(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1)
    def compute_metrics(self, results):
        return dict(score=np.float32(len(results)))

def make_runner(epochs, **kwargs):
    loader = dict(batch_size=2, dataset=Points(), num_workers=0,
                  sampler=dict(type='DefaultSampler', shuffle=False))
    return Runner(
        Net(), sys.argv[1], train_dataloader=loader, val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs), val_cfg=dict(),
        val_evaluator=Evaluator(Score()), experiment_name=f'epochs{epochs}',
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=np.float64(.01))),
        param_scheduler=[
            dict(type='LinearLR', by_epoch=False, start_factor=.1, end=2),
            dict(type='MultiStepLR', milestones=[1, 2]),
            dict(type='CosineAnnealingLR', T_max=2),
        ],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best='score',
                                           rule='greater')),
        custom_hooks=[dict(type='EMAHook')], **kwargs)

make_runner(1).train()
resumed = make_runner(2, resume=True)
resumed.train()
print(resumed.epoch, resumed.iter)
"""


@pytest.fixture(scope='module')
def work_dir(repository, tmp_path_factory) -> Path:
    """Of a run of MMEngine: trained for an epoch, then resumed for another."""
    folder = tmp_path_factory.mktemp('run')
    last = run_script(TRAINING, repository, folder).splitlines()[-1]
    assert last == '2 4'  # epochs and iterations, over both parts
    return folder


@pytest.mark.parametrize('options', [{}, {'weights_only': True}])
def test_mmengine_training_checkpoint_loads(work_dir, options):
    checkpoint = torch.load(work_dir / 'epoch_2.pth', **options)
    history = checkpoint['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert len(history.data[0]) == 4
    assert history.mean() == pytest.approx(history.data[0].mean())
    meta = checkpoint['meta']['dataset_meta']
    assert meta['sigmas'].dtype == np.float32
    assert meta['colors'].tolist() == np.eye(3).tolist()
    assert type(meta['count']) is np.int64
    assert meta['swap'] is np.True_


def test_training_checkpoint_is_read_by_this_package_and_mmengine(work_dir):
    ours = read_checkpoint(work_dir / 'epoch_2.pth')
    theirs = load_from_local(str(work_dir / 'epoch_2.pth'), map_location='cpu')
    assert ours['meta']['epoch'] == theirs['meta']['epoch'] == 2
    for key, value in ours['state_dict'].items():
        assert torch.equal(value, theirs['state_dict'][key])
    assert (work_dir / 'best_score_epoch_1.pth').is_file()


def make_meta(name: str) -> dict:
    """Arrays, scalars and types of one kind of number."""
    array = np.arange(6).reshape(2, 3).astype(name)
    return dict(
        array=array,
        fortran=np.asfortranarray(array),
        empty=array[:0],
        zero_dimensional=array[1, 1].reshape(()),
        swapped=array.astype(array.dtype.newbyteorder()),
        scalar=array[1, 2],
        dtype=array.dtype,
    )


def save_as(module: str, content: dict, path: Path, legacy: bool) -> Path:
    """Save with NumPy's functions named as ``module``, whatever NumPy is installed."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)

    def rename(data: bytes) -> bytes:
        for other in NUMPY_MODULES:
            data = data.replace(f'c{other}\n'.encode(), f'c{module}\n'.encode())
        return data

    if legacy:
        path.write_bytes(rename(buffer.getvalue()))
        return path
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, 'w') as target:
        for item in source.infolist():
            target.writestr(item.filename, rename(source.read(item)))
    return path


@pytest.mark.parametrize('module', NUMPY_MODULES)
@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
def test_numbers_of_either_numpy_load(tmp_path, module, legacy):
    meta = {name: make_meta(name) for name in NUMBERS}
    content = dict(state_dict={'w': torch.ones(2)}, meta=meta)
    path = save_as(module, content, tmp_path / 'a.pth', legacy)
    stored = path.read_bytes()
    for name in NUMPY_MODULES:
        assert (f'c{name}\n'.encode() in stored) is (name == module)
    loaded = read_checkpoint(path)['meta']
    for name, values in meta.items():
        for key, value in pickle.loads(pickle.dumps(values)).items():
            again = pickle.loads(pickle.dumps(loaded[name][key]))
            assert type(again) is type(value)  # saved as NumPy's own
            if key == 'dtype':
                assert again == value
                continue
            assert isinstance(loaded[name][key], type(value))
            np.testing.assert_array_equal(loaded[name][key], value, strict=True)


@pytest.mark.parametrize('module', NUMPY_MODULES)
def test_history_of_either_numpy_loads(tmp_path, module):
    history = HistoryBuffer([0.5, np.float32(0.25)], [1, 1])
    content = dict(state_dict={'w': torch.ones(2)}, message_hub={'loss': history})
    path = save_as(module, content, tmp_path / 'a.pth', legacy=False)
    loaded = read_checkpoint(path)['message_hub']['loss']
    assert loaded.data[0].tolist() == [0.5, 0.25]
    assert loaded.mean() == 0.375


class Payload:
    """Pickles as a call that would create a file."""

    def __init__(self, function, *arguments: str) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def make_payload(kind: str, marker: Path) -> object:
    calls = {
        'system': (os.system, f'touch {marker}'),
        'exec': (builtins.exec, f'open({str(marker)!r}, "w")'),
        'copy': (shutil.copyfile, __file__, str(marker)),
    }
    if kind == 'array':
        return np.array([Payload(*calls['copy'])], dtype=object)
    return Payload(*calls[kind])


def write_malicious(path: Path, container: str, payload: object) -> Path:
    content = dict(state_dict={'w': torch.ones(2)}, meta=dict(time=payload))
    if container == 'pickle':
        content['state_dict'] = {}
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        new = container == 'zip'
        torch.save(content, path, _use_new_zipfile_serialization=new)
    return path


@pytest.mark.parametrize('container', ['zip', 'legacy', 'pickle'])
@pytest.mark.parametrize(
    ('kind', 'forbidden'),
    [
        ('system', f'{os.system.__module__}.system'),
        ('exec', 'exec'),
        ('copy', 'shutil.copyfile'),
    ],
)
def test_code_in_a_checkpoint_is_refused(tmp_path, container, kind, forbidden):
    marker = tmp_path / 'marker'
    path = write_malicious(tmp_path / 'a.pth', container, make_payload(kind, marker))
    for options in ({}, {'weights_only': True}):
        with pytest.raises(pickle.UnpicklingError, match=forbidden):
            torch.load(path, **options)
    with pytest.raises(pickle.UnpicklingError, match=forbidden):
        load_from_local(str(path), map_location='cpu')
    with pytest.raises(UserError) as refused:
        read_checkpoint(path)
    message = str(refused.value)
    assert str(path) in message
    # PyTorch 2.6 says builtins.exec.
    assert f'refers to {forbidden},' in message.replace('builtins.', '')
    assert '\n' not in message
    assert not marker.exists()


DOWNLOAD = """
import os, sys
import {first}
from mmengine.runner.checkpoint import CheckpointLoader
found = CheckpointLoader.load_checkpoint('https://example.invalid/' + sys.argv[1])
print(found['state_dict']['w'].tolist())
"""


@pytest.mark.parametrize('first', ['litehrnet_mm', 'mmengine.runner, litehrnet_mm'])
def test_code_in_a_download_is_refused(tmp_path, repository, monkeypatch, first):
    """PyTorch does not fetch again what its folder of downloads has."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    folder, marker = tmp_path / 'hub/checkpoints', tmp_path / 'marker'
    folder.mkdir(parents=True)
    write_malicious(folder / 'bad.pth', 'zip', make_payload('system', marker))
    torch.save(dict(state_dict={'w': torch.ones(2)}), folder / 'good.pth')
    script = DOWNLOAD.format(first=first)
    assert '[1.0, 1.0]' in run_script(script, repository, 'good.pth')
    with pytest.raises(AssertionError, match='UnpicklingError'):
        run_script(script, repository, 'bad.pth')
    assert not marker.exists()


def test_the_payloads_would_run(tmp_path):
    """Else the test above would prove nothing."""
    for kind in ('system', 'exec', 'copy', 'array'):
        marker = tmp_path / kind
        pickle.loads(pickle.dumps(make_payload(kind, marker)))
        assert marker.exists()


def test_pickle_of_a_newer_protocol_is_refused(tmp_path):
    path, marker = tmp_path / 'a.pth', tmp_path / 'marker'
    path.write_bytes(pickle.dumps(make_payload('system', marker), protocol=4))
    assert max(op.proto for op, _, _ in pickletools.genops(path.read_bytes())) == 4
    with pytest.raises(UserError, match=r'a\.pth is not read: .*protocol 4') as refused:
        read_checkpoint(path)
    assert '\n' not in str(refused.value)
    assert not marker.exists()


def test_only_numbers_of_numpy_are_allowed(tmp_path):
    path, marker = tmp_path / 'a.pth', tmp_path / 'marker'
    refused = (
        np.array([None]),
        np.array(['a']),
        np.zeros(1, [('a', 'i4')]),
        make_payload('array', marker),
    )
    for value in refused:
        torch.save(dict(state_dict={'w': torch.ones(2)}, meta=value), path)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path)
        with pytest.raises(UserError):
            read_checkpoint(path)
    assert not marker.exists()


class Lookup:
    """Pickles as a call of ``getattr``."""

    def __init__(self, *arguments) -> None:
        self.arguments = arguments

    def __reduce__(self) -> tuple:
        return getattr, self.arguments


@pytest.mark.parametrize(
    'arguments',
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__dict__'),
        (np.ndarray, 'tofile'),
        (np.ndarray, 'mean'),
        (Lookup(HistoryBuffer, 'mean'), '__globals__'),
        (HistoryBuffer, 'mean', None),
    ],
)
def test_getattr_finds_nothing_but_statistics(tmp_path, arguments):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={'w': torch.ones(2)}, meta=Lookup(*arguments)), path)
    with pytest.raises((pickle.UnpicklingError, TypeError), match=r'getattr|takes 2'):
        torch.load(path)
    with pytest.raises(UserError, match=r'a\.pth'):
        read_checkpoint(path)


def test_weights_only_is_never_switched_off(repository):
    sources = [
        path
        for folder in ('litehrnet_mm', 'tools', 'configs')
        for path in (repository / folder).rglob('*')
        if path.suffix in ('.py', '.sh')
    ]
    assert repository / 'litehrnet_mm/compat.py' in sources
    for path in sources:
        text = ''.join(path.read_text(encoding='utf-8').split())
        for switch in ('weights_only=False', "'weights_only':False", 'FORCE_NO_WEIGHT'):
            assert switch not in text, path
    assert 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' not in os.environ
