"""Count parameters, multiply-accumulates and activations of a config's network."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from litehrnet_mm.analysis.complexity_config import measure_config
from litehrnet_mm.analysis.complexity_paper import (
    measure_row,
    paper_data,
    paper_rows,
    paper_text,
)
from litehrnet_mm.analysis.complexity_report import complexity_data, complexity_text
from litehrnet_mm.analysis.zoo import load_zoo
from litehrnet_mm.cli import UserError, progress_bar, run_tool, tool_parser

ROOT = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    """Parse the command line.

    Raises:
        UserError: If options do not go together.
    """
    parser = tool_parser(__doc__)
    parser.add_argument(
        'config', nargs='?', help='config file, of pose or of segmentation'
    )
    parser.add_argument(
        '--paper',
        action='store_true',
        help='in place of a config: every system of the paper, published beside '
        'measured',
    )
    parser.add_argument(
        '--shape',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help="input in pixels; if not given, the config's",
    )
    parser.add_argument(
        '--json', action='store_true', help='print JSON, and nothing else on stdout'
    )
    args = parser.parse_args()
    if args.paper == (args.config is not None):
        raise UserError('give a config file or --paper, one of the two')
    if args.paper and args.shape:
        raise UserError('--shape goes with a config; --paper has its own input sizes')
    if args.shape and min(args.shape) < 1:
        raise UserError(f'--shape must be positive, got {args.shape}')
    return args


def main() -> None:
    """Measure and print."""
    args = parse_args()
    # Loggers of others write to standard output, which is for the result alone.
    with redirect_stdout(sys.stderr):
        if args.paper:
            zoo = load_zoo(ROOT)
            rows = paper_rows(zoo)
            bar = progress_bar(rows, len(rows))
            measured = [measure_row(row, ROOT) for row in bar]
        else:
            complexity = measure_config(args.config, args.shape)
    if args.paper and args.json:
        print(json.dumps(paper_data(rows, measured, zoo.sources), indent=2))
    elif args.paper:
        print(paper_text(rows, measured))
    elif args.json:
        print(json.dumps(complexity_data(args.config, complexity), indent=2))
    else:
        print(complexity_text(args.config, complexity))


if __name__ == '__main__':
    run_tool(main)
