"""Command line options that training and testing share."""

from __future__ import annotations

import argparse
import ast
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from litehrnet_mm.cli import UserError, make_folder, tool_parser
from litehrnet_mm.visualization.windows import has_screen


class Settings(DictAction):
    """MMEngine's reading of ``KEY=VALUE``, with a usage error for what is none.

    MMEngine takes dicts for text; here ``{...}`` and ``[{...}, ...]`` are read as
    Python writes them.
    """

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Read the values."""
        for value in values:
            if '=' not in value.lstrip('='):
                parser.error(f'{option_string}: expected KEY=VALUE, got {value!r}')
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, SyntaxError, ValueError):
            parser.error(f'{option_string}: not closed or mistyped: {" ".join(values)}')

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        if val.lstrip('[( ').startswith('{'):
            return ast.literal_eval(val)
        return DictAction._parse_iterable(val)


def add_cfg_options(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, about: str
) -> None:
    """Add ``--cfg-options KEY=VALUE ...``, with this help text."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Settings,
        default={},
        metavar='KEY=VALUE',
        help=about,
    )


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that training and testing have in common."""
    parser = tool_parser(description)
    parser.add_argument('config', help='config file, of pose or of segmentation')
    parser.add_argument(
        '--work-dir',
        help='folder for logs, results and checkpoints; if not given, work_dirs/ and '
        "the config's name",
    )
    add_cfg_options(
        parser,
        'settings that override the config, e.g. train_dataloader.batch_size=32 '
        'or model.backbone.out_indices="(0,1)" (quotes, no spaces)',
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='draw ground truth and prediction side by side, a picture an image, and '
        'save them here; segmentation: in vis_data/vis_image in it',
    )
    parser.add_argument(
        '--show', action='store_true', help='draw predictions and show a window'
    )
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        help='draw every so many images; default: %(default)s',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=1,
        help='seconds that a window stays; default: %(default)s',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm'],
        default='none',
        help='what started the processes of a distributed run; default: %(default)s',
    )
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        metavar='N',
        help='which process of its machine this is: older launchers give it, torchrun '
        'sets LOCAL_RANK in its place',
    )
    return parser


def apply_common(cfg: Config, args: argparse.Namespace) -> None:
    """Write the common options into the config, in place."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = os.path.splitext(os.path.basename(args.config))[0]
        cfg.work_dir = os.path.join('work_dirs', name)
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if isinstance(loader, dict) and loader.get('num_workers') == 0:
            # PyTorch refuses the configs' persistent_workers then.
            loader.persistent_workers = False
    if args.show or args.show_dir:
        _enable_drawing(cfg, args)


def _enable_drawing(cfg: Config, args: argparse.Namespace) -> None:
    if args.show and not has_screen():
        raise UserError('--show needs a screen, and there is none: use --show-dir DIR')
    if args.interval < 1:
        raise UserError(f'--interval must be at least 1, got {args.interval}')
    show_dir = os.path.abspath(args.show_dir) if args.show_dir else None
    if is_segmentation(cfg):
        _enable_segmentation_hook(cfg, args, show_dir)
        return
    hook = dict(type='litehrnet_mm.DrawPosesHook', out_dir=show_dir, show=args.show)
    hook.update(interval=args.interval, wait_time=args.wait_time)
    # In place of MMPose's, which draws persons one by one.
    cfg.default_hooks = {**cfg.get('default_hooks', {}), 'visualization': hook}


def _enable_segmentation_hook(
    cfg: Config, args: argparse.Namespace, show_dir: str | None
) -> None:
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise UserError(
            f'{args.config} has no default_hooks.visualization, so nothing can be '
            'drawn: inherit the default_runtime.py of MMSegmentation'
        )
    if show_dir:
        make_folder(Path(show_dir))
        cfg.visualizer.save_dir = show_dir
    settings: dict[str, Any] = dict(draw=True, show=args.show, interval=args.interval)
    if args.show:
        settings.update(wait_time=args.wait_time)
    hook.update(settings)


def is_segmentation(cfg: Config) -> bool:
    """Whether MMSegmentation runs this config."""
    return cfg.get('default_scope') == 'mmseg'


def is_pose(cfg: Config) -> bool:
    """Whether MMPose runs this config."""
    return cfg.get('default_scope', 'mmpose') == 'mmpose'
