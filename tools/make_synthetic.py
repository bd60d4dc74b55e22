"""Make a synthetic data set, for training and tests without a download."""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.cli import run_tool
from litehrnet_mm.datasets import (
    check_sheet_path,
    make_people,
    write_contact_sheet,
)
from litehrnet_mm.datasets.streets import make_streets, write_street_sheet


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest='kind', required=True)
    add_people(kinds)
    add_streets(kinds)
    return parser.parse_args()


def add_people(kinds) -> None:
    """Add the sub-command ``people``."""
    people = kinds.add_parser(
        'people',
        help='articulated figures with COCO keypoints',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    people.set_defaults(run=run_people)
    add = people.add_argument
    add('out', type=Path, help='directory for images/ and annotations/')
    add('--images', type=int, default=1000, metavar='N', help='number of images')
    add('--seed', type=int, default=0, metavar='S', help='number of the set')
    add('--size', type=int, nargs=2, default=(320, 256), metavar=('W', 'H'))
    add('--persons', type=int, nargs=2, default=(1, 4), metavar=('MIN', 'MAX'))
    add('--workers', type=int, default=1, metavar='N', help='number of processes')
    add('--first-id', type=int, default=1, metavar='ID', help='id of the first image')
    add('--overwrite', action='store_true', help='replace the set in OUT')
    add(
        '--contact-sheet',
        type=Path,
        metavar='PATH',
        help='also write a grid of the first 12 images, half of them annotated',
    )


def run_people(args: argparse.Namespace) -> None:
    """Make the set of people that the command line asks for."""
    look = {'size': tuple(args.size), 'persons': tuple(args.persons)}
    if args.contact_sheet:
        check_sheet_path(args.contact_sheet)
    path = make_people(
        args.out,
        args.images,
        args.seed,
        workers=args.workers,
        first_id=args.first_id,
        overwrite=args.overwrite,
        progress=True,
        **look,
    )
    print(f'{args.images} images, annotations in {path}')
    if args.contact_sheet:
        write_contact_sheet(args.contact_sheet, args.seed, **look)
        print(f'contact sheet in {args.contact_sheet}')


def add_streets(kinds) -> None:
    """Add the sub-command ``streets``."""
    streets = kinds.add_parser(
        'streets',
        help='street scenes with the classes and the layout of Cityscapes',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    streets.set_defaults(run=run_streets)
    add = streets.add_argument
    add('out', type=Path, help='directory for leftImg8bit/ and gtFine/')
    add('--images', type=int, default=400, metavar='N', help='number of scenes')
    add('--seed', type=int, default=0, metavar='S', help='number of the set')
    add('--split', choices=('train', 'val'), default='train')
    add('--size', type=int, nargs=2, default=(256, 128), metavar=('W', 'H'))
    add('--workers', type=int, default=1, metavar='N', help='number of processes')
    add('--overwrite', action='store_true', help='replace this set in OUT')
    add(
        '--contact-sheet',
        type=Path,
        metavar='PATH',
        help='also write a grid of the first 6 scenes, each above its labels',
    )


def run_streets(args: argparse.Namespace) -> None:
    """Make the set of street scenes that the command line asks for."""
    if args.contact_sheet:
        check_sheet_path(args.contact_sheet)
    path = make_streets(
        args.out,
        args.images,
        args.seed,
        split=args.split,
        size=tuple(args.size),
        workers=args.workers,
        overwrite=args.overwrite,
        progress=True,
    )
    print(f'{args.images} scenes in {path}')
    if args.contact_sheet:
        write_street_sheet(args.contact_sheet, args.seed, size=tuple(args.size))
        print(f'contact sheet in {args.contact_sheet}')


def main() -> None:
    """Parse the command line and make the set."""
    args = parse_args()
    args.run(args)


if __name__ == '__main__':
    run_tool(main)
