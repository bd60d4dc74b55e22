"""Every command of the README and of docs/ runs, on small data, as it is written.

A shell reads each block, so variables, braces and quotes are as typed. The tools then
run with files that have the names the pages use, and with training shortened to a step.
"""

from __future__ import annotations

import builtins
import re
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from running import forget_runs
from shell import calls, code_blocks

from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.models import LiteHRNet

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / 'README.md', *sorted((REPOSITORY / 'docs').glob('*.md'))]
POSE = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
SCENES = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'
TINYPOSE = 'td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
WEIGHTS = re.compile(
    r'(CHECKPOINT|OUT|litehrnet-18|[\w./-]*(epoch|litehrnet18)[\w-]*)(\.pth)?'
)
TOOL = re.compile(r'(.*/)?tools/\w+\.py')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

# What MMEngine logs in two epochs of two iterations.
LOG = """\
{"lr": 0.001, "loss": 0.5, "acc_pose": 0.1, "epoch": 1, "iter": 2, "step": 2}
{"coco/AP": 0.1, "step": 1}
{"lr": 0.001, "loss": 0.4, "acc_pose": 0.2, "epoch": 2, "iter": 4, "step": 4}
{"coco/AP": 0.2, "step": 2}
"""

# What is not called here, as patterns of the call, and where it is.
ELSEWHERE = {
    r'make demo': 'too long for a test; shortened: tests/offline/test_offline.py',
    r'make (test|lint|install)|python -m pytest .*': '.ci/run',
    r'make test-faults': 'long; a short form: tests/faults/test_faults.py',
    r'make test-fuzz': 'long; a short form: tests/fuzz/test_fuzz.py',
    r'make test-(numbers|soak)': 'long; short forms: tests/numbers/test_numbers.py',
    r'make test-core': 'part of make test',
    r'make test-versions .*': 'environments of 6 GB; its tests are part of make test',
    r'make (lock|audit)( .*)?': 'needs a network',
    r'make test-options': 'half an hour; a short form: tests/options/test_options.py',
    r'pip .*': 'requirements/install.sh',
    r'wget .*|unzip .*': 'needs a network',
    r'python -m zipfile .*': "Python's own",
    r'mim .*': 'tests/test_mim.py',
    r'python tools/prepare_\w+\.py .*': 'tests/tools/test_prepare_data.py',
    r'python tools/complexity\.py --paper': 'tests/tools/test_complexity.py',
    r'python tools/benchmark\.py .*': 'tests/tools/test_benchmark.py',
    r'python tools/compare_training\.py .*': 'tests/tools/test_compare_training.py',
    r'python tools/quantize_onnx\.py .*': 'tests/tools/test_quantize_onnx.py',
    r'python tools/predict\.py .* --detector .*': 'tests/tools/test_predict.py',
}
# What makes a run short, in place of what a page says.
SHORTER = {
    '--images': '2',
    '--seed': '0',
}


@pytest.fixture(scope='module')
def place(shared_data, pose_roots, tinypose, run_tool, tmp_path_factory) -> Path:
    """A folder with the tools, configs, data and models that the pages speak of."""
    place = tmp_path_factory.mktemp('place')
    (place / 'tools').symlink_to(REPOSITORY / 'tools')
    shutil.copytree(REPOSITORY / 'configs', place / 'configs')
    for task in ('pose', 'seg'):
        (template,) = place.glob(f'configs/{task}/custom/*litehrnet*.py')
        shutil.copy(template, template.with_name('MY_CONFIG.py'))
    (place / 'CONFIG').touch()  # the scripts look whether it is there
    (place / 'CONFIG.py').write_text(f"_base_ = './configs/pose/coco/{TINYPOSE}'\n")
    shutil.copy(tinypose, place / 'CHECKPOINT.pth')
    shutil.copy(tinypose, place / 'tinypose.pth')
    for path in (shared_data / 'pp_tinypose').iterdir():
        shutil.copy(path, place)
    coco = shared_data / 'coco_mini_val'
    persons = coco / 'person_keypoints_val.json'
    for name in ('PERSONS.json', 'ANNOTATIONS.json'):
        shutil.copy(persons, place / name)
    (place / 'IMAGES_DIR').symlink_to(coco / 'images')
    (place / 'MASKS_DIR').mkdir()
    # Other images to train on than to evaluate on.
    shutil.copytree(pose_roots['COCO_ROOT'], place / 'coco', symlinks=True)
    shutil.copy(persons, place / 'coco/annotations/person_keypoints_train2017.json')
    (place / 'coco/train2017').unlink()
    (place / 'coco/train2017').symlink_to(coco / 'images')
    (place / 'FOLDER').mkdir()
    photos = sorted(coco.glob('images/*.jpg'))[:2]
    shutil.copy(photos[0], place / 'PHOTO.jpg')
    shutil.copy(photos[1], place / 'FOLDER')
    shutil.copy(photos[0], place / 'photo.jpg')
    for run in 'AB':
        log = place / f'work_dirs/{run}/20260101_000000/vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text(LOG)
    film = cv2.VideoWriter(
        str(place / 'FILMS1.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64)
    )
    film.write(np.full((64, 96, 3), 99, np.uint8))
    film.release()
    size = ('--input-size', 64, 96)
    for command in (
        (place / 'CONFIG.py', tinypose, place / 'pose.onnx', '--dynamic', 'batch'),
        (SCENES, place / 'streets.onnx', *size),
    ):
        done = run_tool('export_onnx.py', *command)
        assert done.returncode == 0, done.stderr
    return place


def called(page: Path, place: Path) -> list[list[str]]:
    """The calls of a page, whose blocks follow one another in a shell."""
    blocks = [f'cd "{place}"\n{block}' for block in code_blocks(page, 'bash')]
    return calls('\n'.join(blocks), place)


def random_weights(config: str, path: Path) -> Path:
    """A checkpoint of a config's network as it is built."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        model = build_model(load_config(config, {}), config)
        torch.save(dict(state_dict=model.state_dict()), path)
    return path


def shortened(script: str, words: list[str], place: Path) -> list[str]:
    """The arguments of a tool, with files that are there, and a short run."""
    words = [dict(CONFIG=POSE, SEG_CONFIG=SCENES).get(word, word) for word in words]
    for option, value in SHORTER.items():
        if option in words:
            words[words.index(option) + 1] = value
    config = next((word for word in words if word.endswith('.py')), None)
    for k, word in enumerate(words):
        option, equals, value = word.rpartition('=')
        if WEIGHTS.fullmatch(value) and config and config != 'CONFIG.py':
            kept = place / 'weights' / f'{Path(config).stem}.pth'
            words[k] = f'{option}{equals}{random_weights(config, kept)}'
    if script == 'convert_checkpoint.py':  # several pages write the same file
        words.append('--force')
    if script in ('train.py', 'test.py'):
        if '--cfg-options' not in words:
            words.append('--cfg-options')
        at = words.index('--cfg-options') + 1
        words[at:at] = short_run(config)
    return words


def short_run(config: str) -> list[str]:
    """Options that shorten training and evaluation."""
    options = [f'{loader}.num_workers=0' for loader in LOADERS]
    options += [f'{loader}.persistent_workers=False' for loader in LOADERS]
    cfg = load_config(config, {})
    by_epoch = cfg.train_cfg.get('by_epoch', 'max_epochs' in cfg.train_cfg)
    steps = ['max_epochs=1'] if by_epoch else ['max_iters=1', 'val_interval=1']
    options += [f'train_cfg.{step}' for step in steps]
    options += [f'{loader}.dataset.indices=2' for loader in LOADERS]
    return [*options, 'train_dataloader.batch_size=2']


def prepared(call: list[str], place: Path) -> list[str]:
    """A tool's name and arguments as they are run here, in one process."""
    start = next(k for k, word in enumerate(call) if TOOL.fullmatch(word))
    script, words = Path(call[start]).name, list(call[start + 1 :])
    if '--launcher' in words:  # several processes: tests/tools/test_distributed.py
        at = words.index('--launcher')
        del words[at : at + 2]
    if '--amp' in words and not torch.cuda.is_available():
        words.remove('--amp')
    return [script, *shortened(script, words, place)]


def run(words: list[str], monkeypatch, capfd) -> tuple[int, str]:
    """Run a tool in this process, in the folder.

    Returns:
        Its exit status, and what it said on standard error.
    """
    monkeypatch.setattr(sys, 'argv', words)
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(f'tools/{words[0]}', run_name='__main__')
    forget_runs()
    return ended.value.code or 0, capfd.readouterr().err


@pytest.fixture(scope='module')
def seen() -> set[tuple[str, ...]]:
    """What was run, since several pages have the same command."""
    return set()


@pytest.mark.parametrize('page', PAGES, ids=[page.name for page in PAGES])
def test_commands(page, place, seen, pose_roots, seg_roots, monkeypatch, capfd):
    monkeypatch.chdir(place)
    monkeypatch.setenv('POSE_CHECKPOINT', str(place / 'CHECKPOINT.pth'))
    for call in called(page, place):
        text = ' '.join(call)
        if any(re.fullmatch(pattern, text) for pattern in ELSEWHERE):
            continue
        words = prepared(call, place)
        if tuple(words) in seen:
            continue
        seen.add(tuple(words))
        # Both kinds of data of one's own are in CUSTOM_ROOT.
        segments = 'configs/seg' in text
        roots = [pose_roots, seg_roots] if segments else [seg_roots, pose_roots]
        named = {**roots[0], **roots[1], 'COCO_ROOT': str(place / 'coco')}
        for name, root in named.items():
            monkeypatch.setenv(name, root)
        status, said = run(words, monkeypatch, capfd)
        # Status 1 says that there are faults, as there are in data without masks.
        good = (0, 1) if words[0] == 'check_dataset.py' else (0,)
        assert status in good, f'{words}\n{said}'


@pytest.mark.parametrize('page', PAGES, ids=[page.name for page in PAGES])
def test_python(page, place, monkeypatch):
    monkeypatch.chdir(place)
    for block in code_blocks(page, 'python'):
        scope = dict(model=LiteHRNet(), __builtins__=builtins)
        before = dict(scope)
        exec(compile(block, str(page), 'exec'), scope)
        assert scope != before


def test_nothing_is_excused_in_vain(place):
    found = {' '.join(call) for page in PAGES for call in called(page, place)}
    for pattern, where in ELSEWHERE.items():
        assert any(re.fullmatch(pattern, text) for text in found), pattern
        path = where.rpartition(' ')[2]
        assert '/' not in path or (REPOSITORY / path).is_file(), where
