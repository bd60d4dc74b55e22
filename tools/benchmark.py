"""Time networks beside each other: pose, segmentation, or a step of training.

All take turns, so that whatever disturbs the machine meets all alike; what counts is
the ratio of medians. Peak memory is what the first pass takes beside weights. Weights
are random. Without a GPU everything runs on the CPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch

from litehrnet_mm.analysis.latency import time_interleaved
from litehrnet_mm.analysis.latency_report import (
    draw_latency,
    latency_data,
    latency_table,
)
from litehrnet_mm.analysis.latency_suites import SUITES, Setting, make_candidates
from litehrnet_mm.analysis.tables import text_table
from litehrnet_mm.cli import (
    UserError,
    make_folder,
    one_line,
    positive,
    progress_bar,
    run_tool,
    tool_parser,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add(
        '--suite',
        choices=tuple(SUITES),
        default='pose',
        help='what to time; default: %(default)s',
    )
    add(
        '--only',
        nargs='+',
        default=[],
        metavar='TEXT',
        help='only networks whose name contains one of these, beside the first',
    )
    add(
        '--threads',
        type=positive,
        default=1,
        metavar='N',
        help='threads of the CPU to compute with; default: %(default)s',
    )
    add(
        '--batch',
        type=positive,
        default=1,
        metavar='N',
        help='images of a pass; default: %(default)s',
    )
    add(
        '--size',
        type=positive,
        nargs=2,
        metavar=('H', 'W'),
        help="input in pixels; if not given, each config's",
    )
    add(
        '--rounds',
        type=positive,
        default=30,
        metavar='N',
        help='timed passes of each, at least 2; default: %(default)s',
    )
    add(
        '--compile',
        action='store_true',
        help='torch.compile, too, which takes some minutes first',
    )
    add(
        '--out',
        type=Path,
        metavar='DIR',
        help='folder for SUITE.json and SUITE.png, a chart',
    )
    args = parser.parse_args()
    if args.rounds < 2:
        raise UserError('--rounds must be at least 2')
    return args


def main() -> None:
    """Prepare, time, print, write."""
    args = parse_args()
    if args.out:
        make_folder(args.out)
    torch.set_num_threads(args.threads)
    size = tuple(args.size) if args.size else None
    setting = Setting(args.batch, args.threads, size, args.compile)
    entries = [
        entry
        for k, entry in enumerate(SUITES[args.suite])
        if k == 0 or not args.only or any(text in entry.net for text in args.only)
    ]
    if args.only and not any(text in e.net for e in entries for text in args.only):
        names = ', '.join(entry.net for entry in SUITES[args.suite])
        raise UserError(f'--only {" ".join(args.only)}: there are {names}')
    candidates = []
    with redirect_stdout(sys.stderr):  # what others print
        for entry in progress_bar(entries, len(entries), title='Preparing'):
            try:
                candidates += make_candidates(entry, args.suite, setting)
            except RuntimeError as error:  # some take one size, or multiples of 32
                print(f'{entry.net} left out: {one_line(error)}', file=sys.stderr)
                if entry is entries[0]:
                    raise UserError(
                        f'{entry.net}, with which all are compared, does not run: '
                        f'{one_line(error)}'
                    ) from error
        time_interleaved(candidates, args.rounds)
    print(text_table(latency_table(candidates), '<<>>>>'))
    if args.out:
        settings = dict(vars(args), out=None)
        data = latency_data(candidates, settings)
        path = args.out / f'{args.suite}.json'
        path.write_text(json.dumps(data, indent=2) + '\n', encoding='utf-8')
        title = f'{args.suite}, batch {args.batch}, {args.threads} thread(s)'
        draw_latency(candidates, title, args.out / f'{args.suite}.png')
        print(f'also in {path} and, as a chart, {args.suite}.png beside it')


if __name__ == '__main__':
    run_tool(main)
