"""Make a synthetic data set, for training and tests without a download."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Callable

from litehrnet_mm.cli import run_tool, tool_parser
from litehrnet_mm.datasets import (
    check_sheet_path,
    make_people,
    write_contact_sheet,
)
from litehrnet_mm.datasets.streets import make_streets, write_street_sheet


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = tool_parser(__doc__)
    kinds = parser.add_subparsers(dest='kind', required=True)
    add_people(kinds)
    add_streets(kinds)
    return parser.parse_args()


def add_people(kinds) -> None:
    """Add the sub-command ``people``."""
    add = add_kind(
        kinds,
        run_people,
        ('people', 'articulated figures with COCO keypoints', 'images/, annotations/'),
        images=1000,
        size=(320, 256),
        sheet='the first 12 images, half of them annotated',
    )
    add(
        '--persons',
        type=int,
        nargs=2,
        default=(1, 4),
        metavar=('MIN', 'MAX'),
        help='least and greatest number in an image; default: 1 4',
    )
    add(
        '--first-id',
        type=int,
        default=1,
        metavar='ID',
        help='id of the first image; default: %(default)s',
    )


def add_streets(kinds) -> None:
    """Add the sub-command ``streets``."""
    about = 'street scenes with the classes and the layout of Cityscapes'
    add = add_kind(
        kinds,
        run_streets,
        ('streets', about, 'leftImg8bit/, gtFine/'),
        images=400,
        size=(256, 128),
        sheet='the first 6 scenes, each above its labels',
    )
    add(
        '--split',
        choices=('train', 'val'),
        default='train',
        help='where to write; default: %(default)s',
    )


def add_kind(
    kinds,
    run: Callable[[argparse.Namespace], None],
    about: tuple[str, str, str],
    images: int,
    size: tuple[int, int],
    sheet: str,
) -> Callable:
    """Add a sub-command with the options that all kinds share.

    Args:
        kinds: What to add to.
        run: What makes such a set.
        about: Its name, what it makes, and folders that it writes.
        images: Number of images if none is given.
        size: Width and height in pixels if none are given.
        sheet: What a contact sheet shows.

    Returns:
        The function that adds more options.
    """
    name, what, folders = about
    parser = kinds.add_parser(name, help=what)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add('out', type=Path, help=f'directory for {folders}')
    add(
        '--images',
        type=int,
        default=images,
        metavar='N',
        help='number of images; default: %(default)s',
    )
    add(
        '--seed',
        type=int,
        default=0,
        metavar='S',
        help='number of the set; default: %(default)s',
    )
    add(
        '--size',
        type=int,
        nargs=2,
        default=size,
        metavar=('W', 'H'),
        help=f'pixels; default: {size[0]} {size[1]}',
    )
    add(
        '--workers',
        type=int,
        default=1,
        metavar='N',
        help='number of processes; default: %(default)s',
    )
    add('--overwrite', action='store_true', help='replace the set in OUT')
    add(
        '--contact-sheet', type=Path, metavar='PATH', help=f'also write a grid: {sheet}'
    )
    return add


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
