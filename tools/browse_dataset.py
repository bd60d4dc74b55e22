"""Look at what a network is trained on: samples of a data set, through its pipeline.

For configs of pose and of segmentation. In DIR are then sheet.jpg, with all samples,
and in DIR/samples a larger picture of each: the image with its annotations; what the
network sees of it after augmentation; and what it is to learn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.browsing.browse import Wanted, browse
from litehrnet_mm.browsing.samples import SPLITS
from litehrnet_mm.browsing.views import STAGES
from litehrnet_mm.cli import UserError, positive, run_tool, tool_parser
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.options import add_cfg_options


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('config', help='config file, of pose or of segmentation')
    add('--out', type=Path, metavar='DIR', help='folder for the pictures')
    add('--show', action='store_true', help='open a window, too; q ends')
    add(
        '--split',
        choices=SPLITS,
        default='train',
        help='whose data set; default: %(default)s',
    )
    add(
        '--number',
        type=positive,
        default=16,
        metavar='N',
        help='of samples, all if there are fewer; default: %(default)s',
    )
    add('--shuffle', action='store_true', help='random samples; without it the first N')
    add(
        '--seed',
        type=int,
        default=0,
        metavar='S',
        help='another one gives other random samples, and another augmentation of '
        'each; default: %(default)s',
    )
    add(
        '--stage',
        choices=STAGES,
        default='both',
        help='original: images with annotations, as they are in the files; '
        'transformed: what the pipeline makes of them, with the targets; default: '
        '%(default)s',
    )
    add(
        '--columns',
        type=positive,
        metavar='N',
        help='samples side by side on the sheet; as many as fit if not given',
    )
    add_cfg_options(parser, 'settings that override the config')
    args = parser.parse_args()
    if not args.out and not args.show:
        raise UserError('nothing would be kept or seen: give --out DIR, or --show')
    if args.seed < 0:
        raise UserError(f'--seed must not be negative, got {args.seed}')
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    choices = {key: getattr(args, key) for key in Wanted.__annotations__}
    print(browse(cfg, args.config, Wanted(**choices)))


if __name__ == '__main__':
    run_tool(main)
