"""What the tools say to a user's mistakes, and to broken or hostile files."""

import json
import os
import shutil
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import pytest
import torch
from running import CONFIG, LITE_CONFIG, TRAINING, assert_one_line, on

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.data_errors import data_errors


def test_a_checkpoint_of_weights_alone_cannot_be_resumed(
    call_tool, coco, tinypose, tmp_path
):
    done = call_tool(
        'train.py', CONFIG, '--work-dir', tmp_path, '--resume', tinypose,
        '--no-validate', '--cfg-options', *on(coco, 'train'),
    )  # fmt: skip
    assert_one_line(done, 'cannot be resumed from', 'load_from=')


def test_a_missing_annotation_file(call_tool, tinypose, tmp_path, coco):
    broken = [x.replace('person_keypoints', 'nowhere') for x in on(coco, 'test')]
    done = call_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options', *broken
    )
    where = 'test_dataloader.dataset.ann_file'
    assert_one_line(done, 'annotation file not found', 'nowhere_val.json', where)


def test_missing_detections_name_the_way_out(call_tool, tinypose, tmp_path, coco):
    options = [x for x in on(coco, 'test') if 'bbox_file' not in x]
    done = call_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options', *options
    )
    assert_one_line(done, 'detected boxes', 'test_dataloader.dataset.bbox_file=None')


@pytest.mark.timeout(100)
@pytest.mark.parametrize('fault', ['missing', 'truncated', 'empty', 'a pipe'])
def test_an_image_that_cannot_be_read(call_tool, tinypose, tmp_path, coco, fault):
    copy = tmp_path / 'coco'
    shutil.copytree(coco, copy, copy_function=shutil.copyfile)
    content = json.loads((copy / 'person_keypoints_val.json').read_text())
    image = copy / 'images' / content['images'][0]['file_name']
    if fault in ('missing', 'a pipe'):
        image.unlink()
        if fault == 'a pipe':
            os.mkfifo(image)
    else:
        data = image.read_bytes()
        image.write_bytes(data[:200] if fault == 'truncated' else b'')
    done = call_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options',
        *on(copy, 'test'), 'test_dataloader.batch_size=68',
    )  # fmt: skip
    assert_one_line(done, 'image', image.name)


BROKEN = {
    'not valid JSON': lambda text: text[:1000].encode(),
    "no 'images'": lambda text: b'{}',
    'begins with a byte order mark': lambda text: text.encode('utf-8-sig'),
    'is in UTF-16': lambda text: text.encode('utf-16'),
}


@pytest.mark.parametrize('fault', BROKEN)
def test_a_broken_annotation_file(call_tool, tinypose, tmp_path, coco, fault):
    copy = tmp_path / 'coco'
    (copy / 'images').mkdir(parents=True)
    text = (coco / 'person_keypoints_val.json').read_text()
    (copy / 'person_keypoints_val.json').write_bytes(BROKEN[fault](text))
    done = call_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options',
        *on(copy, 'test'),
    )  # fmt: skip
    assert_one_line(done, fault, copy / 'person_keypoints_val.json')


class Malice:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


def make_checkpoint(kind: str, good: Path, folder: Path) -> Path:
    path = folder / f'{kind}.pth'
    content = torch.load(good, weights_only=True)
    state_dict = content['state_dict']
    if kind == 'truncated':
        path.write_bytes(good.read_bytes()[:100_000])
    elif kind == 'text':
        path.write_text('not a checkpoint')
    elif kind == 'page':
        path.write_text('<!DOCTYPE html><html></html>')
    elif kind == 'empty':
        path.touch()
    elif kind == 'diverged':
        state_dict['head.final_layer.weight'][0] = float('nan')
        torch.save(content, path)
    elif kind == 'foreign':
        torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    elif kind == 'shape':
        state_dict['head.final_layer.weight'] = torch.zeros(16, 40, 1, 1)
        torch.save(content, path)
    elif kind == 'malicious':
        torch.save(dict(state_dict, evil=Malice(folder / 'marker')), path)
    return path


UNUSABLE = {
    'absent': ['checkpoint not found'],
    'truncated': ['damaged'],
    'text': ['is a text file', "begins with 'not a checkpoint'"],
    'page': ['is a page of HTML'],
    'empty': ['is empty'],
    'diverged': ['1 of ', 'hold NaN or inf', 'head.final_layer.weight', 'diverged'],
    'foreign': ['does not fit', 'missing'],
    'malicious': ['refused', 'posix.system'],
    'shape': ['does not fit', '(16, 40, 1, 1)', '(17, 40, 1, 1)'],
}
CASES = [('test.py', kind, words) for kind, words in UNUSABLE.items()]
# Training goes on with the layers that fit: the head may be another.
CASES += [('train.py', kind, words) for _, kind, words in CASES if kind != 'shape']


@pytest.mark.parametrize(('tool', 'kind', 'words'), CASES)
def test_unusable_checkpoints(call_tool, tinypose, coco, tmp_path, tool, kind, words):
    path = make_checkpoint(kind, tinypose, tmp_path)
    work = tmp_path / 'work'
    if tool == 'test.py':
        args = (path, '--cfg-options', *on(coco, 'test'))
    else:
        options = (*on(coco, 'train'), *TRAINING, f'load_from={path}')
        args = ('--no-validate', '--cfg-options', *options)
    done = call_tool(tool, CONFIG, '--work-dir', work, *args)
    assert_one_line(done, path, *words)
    assert not (tmp_path / 'marker').exists()
    assert list(tmp_path.rglob('*.pth')) == ([path] if path.exists() else [])


def test_an_unknown_config_is_named_with_its_neighbour(call_tool, tinypose):
    wrong = LITE_CONFIG.replace('litehrnet-18', 'litehrnet-81')
    done = call_tool('test.py', wrong, tinypose)
    assert_one_line(done, 'config not found', wrong, LITE_CONFIG)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('model = dict(', ['cannot be read']),
        ("_base_ = 'nowhere.py'\n", ['cannot be read', 'nowhere.py']),
        (
            "_base_ = 'mmpose::body_2d_keypoint/nowhere.py'\n",
            ['cannot be read', 'nowhere.py'],
        ),
        ('x = 1\ny = 1 / 0\n', ['line 2: ZeroDivisionError: division by zero']),
        ('def f():\n    return {}["k"]\n\n\nx = f()\n', ["line 2: KeyError: 'k'"]),
        ('x = nope\n', ["line 1: NameError: name 'nope' is not defined"]),
        ('assert False\n', ['read: line 1: AssertionError']),
        ('import sys\n\nsys.exit()\n', ['line 3: SystemExit']),
        ('x = 1\nmodel = dict(\n', ["read: line 2: '(' was never closed"]),
        ('import nothing_such\n\nx = nothing_such.y\n', ['nothing_such', 'line 1']),
        (
            'from torch import Nothing\n\nmodel = dict(a=[dict(type=Nothing)])\n',
            ['Nothing from torch', 'line 1'],
        ),
    ],
)
def test_a_config_that_cannot_be_read(call_tool, tinypose, tmp_path, text, words):
    config = tmp_path / 'config.py'
    config.write_text(text)
    assert_one_line(call_tool('test.py', config, tinypose), config, *words)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('x = 1\ny = 1 / 0\n', 'line 2: ZeroDivisionError: division by zero'),
        ('x = (\n', "line 1: '(' was never closed"),
    ],
)
@pytest.mark.parametrize(
    'derived',
    [
        "_base_ = 'base.py'\n",
        'from mmengine.config import read_base\n\nwith read_base():\n'
        '    from .base import *\n',
    ],
)
def test_a_base_that_cannot_be_read_is_named(tmp_path, text, words, derived):
    (tmp_path / 'base.py').write_text(text)
    config = tmp_path / 'config.py'
    config.write_text(derived)
    with pytest.raises(UserError) as refused:
        load_config(str(config), {})
    said = f'config {config} cannot be read: {tmp_path}/base.py, {words}'
    assert str(refused.value) == said


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ('base', 'derived'),
    [
        ("_base_ = './config.py'\n", "_base_ = './config.py'\n"),
        ("_base_ = ['config.py']\n", "_base_ = 'base.py'\n"),
        (
            'x = 1\n',
            'from mmengine.config import read_base\n\nwith read_base():\n'
            '    from .config import *\n',
        ),
    ],
)
def test_a_config_that_is_a_base_of_itself(tmp_path, base, derived):
    (tmp_path / 'base.py').write_text(base)
    config = tmp_path / 'config.py'
    config.write_text(derived)
    with pytest.raises(UserError, match=r'a base (\(_base_\) )?of itself') as refused:
        load_config(str(config), {})
    assert str(refused.value).startswith(f'config {config} cannot be read: ')


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        (['--dump', 'predictions.json'], ['--dump', '.pkl', 'predictions.json']),
        (['--tta'], ['--tta', 'tta_model']),
        (['--show'], ['--show', 'screen', '--show-dir']),
        (['--show-dir', 'x', '--interval', '0'], ['--interval', '0']),
        (['--cfg-options', 'model.head.loss.0=1'], ['--cfg-options']),
    ],
)
def test_wrong_options(call_tool, tinypose, args, words, monkeypatch):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    assert_one_line(call_tool('test.py', CONFIG, tinypose, *args), *words)


@pytest.mark.parametrize(
    ('option', 'suggestion'),
    [
        ('modle.x=1', ''),
        ('model.test_cfg.fliptest=1', '(did you mean model.test_cfg.flip_test?)'),
    ],
)
def test_an_option_that_the_config_does_not_know_is_said(
    call_tool, tmp_path, option, suggestion
):
    done = call_tool(
        'test.py', CONFIG, tmp_path / 'absent.pth', '--cfg-options', option
    )
    (line,) = [x for x in done.stderr.splitlines() if x.startswith('warning: ')]
    assert f'{option.split("=")[0]} is new' in line
    assert suggestion in line


def test_an_option_without_a_value_is_a_usage_error(call_tool, tinypose):
    done = call_tool('test.py', CONFIG, tinypose, '--cfg-options', 'model.test_cfg')
    assert done.returncode == 2
    assert "expected KEY=VALUE, got 'model.test_cfg'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_work_folder_that_cannot_be_made(call_tool, tinypose, tmp_path, coco):
    (tmp_path / 'file').write_text('in the way')
    work = tmp_path / 'file/work'
    done = call_tool(
        'test.py', CONFIG, tinypose, '--work-dir', work, '--cfg-options',
        *on(coco, 'test'),
    )  # fmt: skip
    assert_one_line(done, 'work folder', work)


def test_a_checkpoint_to_initialise_from_is_checked(call_tool, tmp_path, coco):
    init = 'model.backbone.init_cfg'
    done = call_tool(
        'train.py', CONFIG, '--work-dir', tmp_path, '--no-validate', '--cfg-options',
        *on(coco, 'train'), f'{init}.type=Pretrained', f'{init}.checkpoint=absent.pth',
    )  # fmt: skip
    assert_one_line(done, 'checkpoint not found', 'absent.pth')


@pytest.mark.parametrize('zipped', [True, False])
def test_a_checkpoint_cut_anywhere_is_refused(tmp_path, zipped):
    path = tmp_path / 'cut.pth'
    state_dict = torch.nn.Linear(2, 2).state_dict()
    torch.save(state_dict, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for length in range(0, len(whole), 1 if not zipped else 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r'cut\.pth') as refused:
            read_checkpoint(path)
        assert '\n' not in str(refused.value)


def test_a_folder_is_no_checkpoint(call_tool, tmp_path):
    assert_one_line(call_tool('test.py', CONFIG, tmp_path), tmp_path, 'is a folder')


@pytest.mark.parametrize('kind', ['text', 'device', 'diverged'])
@pytest.mark.parametrize('tool', ['predict.py', 'convert_checkpoint.py'])
def test_the_same_is_said_where_nothing_is_trained(
    call_tool, tinypose, coco, tmp_path, tool, kind
):
    path, words = Path('/dev/zero'), ['is a device or pipe']
    if kind != 'device':
        path, words = make_checkpoint(kind, tinypose, tmp_path), UNUSABLE[kind]
    out = tmp_path / 'out.pth'
    args = ('auto', path, out)
    if tool == 'predict.py':
        args = (CONFIG, path, coco / 'images', '--out', out)
    assert_one_line(call_tool(tool, *args), path, *words)
    assert not out.exists()


def test_what_diverged_is_not_resumed_from(call_tool, tinypose, tmp_path, coco):
    path = make_checkpoint('diverged', tinypose, tmp_path)
    done = call_tool(
        'train.py', CONFIG, '--work-dir', tmp_path / 'work', '--resume', path,
        '--no-validate', '--cfg-options', *on(coco, 'train'),
    )  # fmt: skip
    assert_one_line(done, path, *UNUSABLE['diverged'])


def test_weights_of_another_net_are_told_apart(call_tool, tinypose, tmp_path, coco):
    done = call_tool(
        'test.py', LITE_CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options',
        *on(coco, 'test'),
    )  # fmt: skip
    assert_one_line(done, tinypose, 'does not fit', 'of wider-naive-litehrnet-18')


def test_weights_that_cannot_be_fetched(repository):
    cfg = load_config(str(repository / CONFIG), {})
    with pytest.raises(UserError, match=r'no route.*init_cfg=None'), data_errors(cfg):
        raise URLError('no route')


def test_fetched_weights_that_would_run_code(repository):
    cfg = load_config(str(repository / CONFIG), {})
    with pytest.raises(UserError, match=r'fetched are refused.*code'), data_errors(cfg):
        raise UnpicklingError('Weights only load failed.')


SETTINGS = {
    'train_dataloader.batch_size=-1': 'train_dataloader.batch_size is -1: give',
    'optim_wrapper.optimizer.lr=nan': 'optim_wrapper.optimizer.lr is nan: give',
    'optim_wrapper=None': 'has no optim_wrapper beside',
    'optim_wrapper=5': 'optim_wrapper is 5: give a dict of settings',
    'train_dataloader=5': 'train_dataloader is 5: give a dict of settings',
}


@pytest.mark.parametrize('more', [(), ('--amp',)])
@pytest.mark.parametrize('option', SETTINGS)
def test_settings_that_no_training_can_have(call_tool, tmp_path, option, more):
    done = call_tool(
        'train.py', LITE_CONFIG, '--work-dir', tmp_path / 'work', *more,
        '--cfg-options', option,
    )  # fmt: skip
    assert_one_line(done, SETTINGS[option])
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('test_dataloader.num_workers=-1', 'test_dataloader.num_workers is -1: give'),
        ('randomness.seed=-1', 'randomness.seed is -1: give'),
        ('optim_wrapper=None', 'has no optim_wrapper beside'),
        ('test_evaluator=None', 'has no test_evaluator beside'),
    ],
)
def test_settings_that_no_evaluation_can_have(call_tool, tmp_path, option, words):
    done = call_tool(
        'test.py', LITE_CONFIG, tmp_path / 'absent.pth', '--work-dir',
        tmp_path / 'work', '--dump', tmp_path / 'x.pkl', '--cfg-options', option,
    )  # fmt: skip
    assert_one_line(done, words)
