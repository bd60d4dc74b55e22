"""Draw a network from its modules: branches, stages, fusions, and a block close up.

Every number in the figure is read from the built network. --table prints its stages as
a table in Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.analysis.architecture import Architecture, stage_rows
from litehrnet_mm.analysis.architecture_walk import describe
from litehrnet_mm.analysis.complexity_config import input_size
from litehrnet_mm.analysis.tables import markdown_table
from litehrnet_mm.cli import UserError, positive, run_tool, tool_parser
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.options import add_cfg_options
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.arch import ARCHS
from litehrnet_mm.visualization.architecture import draw_architecture
from litehrnet_mm.visualization.charts import figure_path

SIZE = (256, 192)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument('--arch', choices=sorted(ARCHS), help='a net of the paper')
    what.add_argument(
        '--config',
        metavar='FILE',
        help='a config of pose or segmentation, of LiteHRNet or HRNet (Small HRNet)',
    )
    add('--out', type=figure_path, metavar='FILE', help='.png, .svg or .pdf')
    add('--table', action='store_true', help='print the stages in Markdown')
    add(
        '--size',
        type=positive,
        nargs=2,
        metavar=('H', 'W'),
        help="input in pixels; default: the config's, or 256 192",
    )
    add('--name', help="title of the figure; default: arch, or the config's file")
    add_cfg_options(parser, 'settings that override the config')
    args = parser.parse_args()
    if not args.out and not args.table:
        raise UserError('nothing would be kept or seen: give --out FILE, or --table')
    if args.arch and args.cfg_options:
        raise UserError('--cfg-options go with --config')
    return args


def describe_network(args: argparse.Namespace) -> Architecture:
    """Build the network that the command line asks for, and look at it.

    Raises:
        UserError: If the config has no network that can be drawn.
    """
    if args.arch:
        return describe(
            LiteHRNet(args.arch), args.name or args.arch, tuple(args.size or SIZE)
        )
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg, args.config)
    size = tuple(args.size) if args.size else input_size(cfg, args.config)
    backbone = getattr(model, 'backbone', model)
    return describe(backbone, args.name or Path(args.config).stem, size)


def main() -> None:
    """Build, draw, print."""
    args = parse_args()
    facts = describe_network(args)
    if args.out:
        draw_architecture(facts, args.out)
    if args.table:
        print(markdown_table(stage_rows(facts)))
    if args.out:
        print(f'drawn: {args.out}')


if __name__ == '__main__':
    run_tool(main)
