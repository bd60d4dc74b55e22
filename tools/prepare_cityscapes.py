"""Prepare Cityscapes: unpack the archives, make label maps, say what is missing.

ROOT holds leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, or the folders
leftImg8bit/ and gtFine/ out of them. Each frame of train and val gets a
*_gtFine_labelTrainIds.png, as MMSegmentation's configs expect. What is there and whole
is kept, so the tool can be interrupted and run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.cli import UserError, preparation_parser, run_tool
from litehrnet_mm.datasets.preparation.cityscapes import prepare_cityscapes
from litehrnet_mm.datasets.preparation.splits import describe

SHOWN = 5


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = preparation_parser(__doc__)
    add = parser.add_argument
    add('root', type=Path, metavar='ROOT', help='folder of the archives or folders')
    add(
        '--from-label-ids',
        action='store_true',
        help='map *_labelIds.png, which the official evaluation reads, in place of '
        'drawing *_polygons.json anew (the two differ in some pixels along edges), and '
        'replace label maps that were drawn',
    )
    return parser.parse_args()


def main() -> None:
    """Prepare, and say what was done and what is there."""
    args = parse_args()
    report = prepare_cityscapes(args.root, args.jobs, args.from_label_ids, True)
    for archive, files in report.unpacked.items():
        print(f'{archive}: {files} files unpacked')
    ways = ', '.join(f'{count} {way}' for way, count in sorted(report.ways.items()))
    print(f'label maps: {ways or "none"}')
    for line in report.faults[:SHOWN]:
        print(f'failed: {line}')
    print(describe(report.splits))
    if report.error:
        raise UserError(report.error)


if __name__ == '__main__':
    run_tool(main)
