"""What several tests of the tools share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from mmengine.config import Config
from mmengine.utils import ManagerMixin
from nets import tiny_extra

from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.options import apply_common, make_parser

CONFIG = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
LITE_CONFIG = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'

NARROW = 'narrow_'
"""What the names of small configs start with."""

# BatchNorm folded into converted weights has no statistics to adapt: norm_eval.
TRAINING = [
    'model.backbone.norm_eval=True',
    'train_dataloader.batch_size=17',
    'train_cfg.val_interval=4',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=1',
    'param_scheduler.0.end=4',
    'optim_wrapper.optimizer.lr=1e-4',
    'randomness.seed=0',
]


def on(coco: Path, split: str) -> list[str]:
    """``--cfg-options`` that put the small data set in the place of COCO."""
    dataset = f'{split}_dataloader.dataset'
    options = [
        f'{dataset}.data_root={coco}/',
        f'{dataset}.ann_file=person_keypoints_val.json',
        f'{dataset}.data_prefix.img=images/',
    ]
    if split != 'train':
        options += [
            f'{dataset}.bbox_file=None',
            f'{split}_evaluator.ann_file={coco}/person_keypoints_val.json',
        ]
    return options


def assert_one_line(done: subprocess.CompletedProcess, *words: object) -> None:
    """The tool failed with one clear line that has all the words, and no traceback."""
    assert done.returncode == 2, done.stderr
    assert 'Traceback' not in done.stderr, done.stderr
    (line,) = [x for x in done.stderr.splitlines() if x.startswith('error: ')]
    assert done.stderr.splitlines()[-1] == line
    assert all(str(word) in line for word in words), line


def narrow(config: str | Path, folder: Path) -> Path:
    """A config like another, of a net that is quick to build and to export."""
    arch = dict(_delete_=True, **tiny_extra())
    is_pose = 'configs/pose/' in str(config)
    head = dict(head=dict(in_channels=8))
    if not is_pose:
        head = dict(decode_head=dict(in_channels=[8, 16, 24, 32]))
    model = dict(backbone=dict(arch=arch), **head)
    # A name that no run of a user has, in case it writes into work_dirs/.
    path = folder / f'{NARROW}{Path(config).name}'
    path.write_text(f"_base_ = '{Path(config).resolve()}'\nmodel = {model!r}\n")
    return path


def forget_runs() -> None:
    """Let the next run in this process start as the first did.

    MMEngine keeps loggers, with output streams that pytest has closed by then, and
    visualizers, with the folder of the run they were made for.
    """
    kinds = [ManagerMixin]
    while kinds:
        kind = kinds.pop()
        kind._instance_dict.clear()
        kinds.extend(kind.__subclasses__())


def scalars(work: Path) -> dict[str, float]:
    """All that a run logged as numbers, the last value of each."""
    (path,) = work.rglob('scalars.json')
    merged: dict[str, float] = {}
    for line in path.read_text().splitlines():
        merged.update(json.loads(line))
    return merged


def configure(path: Path, work: Path, *options: str) -> Config:
    """The config with options, as the tools read it."""
    arguments = [str(path), '--work-dir', str(work)]
    if options:
        arguments += ['--cfg-options', *options]
    args = make_parser('').parse_args(arguments)
    cfg = load_config(args.config, args.cfg_options)
    apply_common(cfg, args)
    return cfg
