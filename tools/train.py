"""Train a pose or segmentation config through MMPose or MMSegmentation."""

from __future__ import annotations

import os
import signal

if __name__ == '__main__':
    # There is nothing yet that could be saved; what follows takes seconds to import.
    # An exception could be caught, as those of a config are.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

import argparse

from mmengine.config import Config

from litehrnet_mm.cli import UserError, run_tool
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.options import apply_common, make_parser
from litehrnet_mm.engine.settings_check import check_parts


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without a name, from the newest in the '
        'work folder, if there is one',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in automatic mixed precision'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the batch size of all processes together',
    )
    return parser.parse_args()


def apply_training(cfg: Config, args: argparse.Namespace) -> None:
    """Write the options of training into the config, in place."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume:
        cfg.resume = args.resume
    if args.amp:
        check_parts(cfg, 'train')
        kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise UserError(f'--amp does not go with optim_wrapper.type={kind}')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise UserError(
                f'--auto-scale-lr needs auto_scale_lr.base_batch_size in {args.config}'
            )
        cfg.auto_scale_lr.enable = True


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    apply_common(cfg, args)
    apply_training(cfg, args)
    train(cfg)


if __name__ == '__main__':
    run_tool(main)
