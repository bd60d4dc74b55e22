"""Find faults of a data set before training, and write a mended copy.

Every image and mask is decoded to its end, every annotation is looked at. Exit status:
0 without errors, 1 with errors, 2 if it could not be checked.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Callable

from litehrnet_mm.checking.copies import check_copy, write_copies
from litehrnet_mm.checking.findings import ERROR
from litehrnet_mm.checking.inspection import DataSet
from litehrnet_mm.checking.leaks import find_leaks
from litehrnet_mm.checking.report import as_text, count, write_report
from litehrnet_mm.checking.sets import coco_set, folder_set, keypoints_of, sets_of
from litehrnet_mm.cli import (
    UserError,
    add_jobs,
    check_file,
    positive,
    run_tool,
    tool_parser,
)
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.mask_loading import Labels
from litehrnet_mm.engine.options import add_cfg_options

SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    kinds = parser.add_subparsers(dest='kind', required=True)
    add_config(kinds)
    add_coco(kinds)
    add_masks(kinds)
    return parser.parse_args()


def add_config(kinds) -> None:
    """Add the sub-command ``config``."""
    parser = add_kind(
        kinds,
        ('config', 'all that a config trains and evaluates on'),
        'configs/pose/custom/td-hm_litehrnet-18_8xb64-70e_custom-256x192.py',
        config_sets,
        'a folder, with SPLIT.json, or with masks in SPLIT/ and SPLIT.txt',
    )
    add = parser.add_argument
    add('config', help='config file, of pose or of segmentation')
    add(
        '--split',
        nargs='+',
        choices=SPLITS,
        default=SPLITS,
        help='which ones (default: all that the config has)',
    )
    add_cfg_options(parser, 'settings that override the config')


def add_coco(kinds) -> None:
    """Add the sub-command ``coco``."""
    add = add_kind(
        kinds,
        ('coco', "keypoints in COCO's format"),
        'person_keypoints_val2017.json val2017',
        coco_sets,
        'a JSON file',
    ).add_argument
    add('annotations', type=Path, metavar='ANNOTATIONS.json', help='annotation file')
    add('images', type=Path, metavar='IMAGES_DIR', help='folder of the images')
    add(
        '--keypoints',
        metavar='CONFIG',
        help='pose config whose keypoints the file must have, in their order (default: '
        "those that the file's categories name)",
    )


def add_masks(kinds) -> None:
    """Add the sub-command ``masks``."""
    add = add_kind(
        kinds,
        ('masks', 'images and masks of class numbers'),
        'leftImg8bit/val gtFine/val --classes 19 --img-suffix _leftImg8bit.png '
        '--seg-map-suffix _gtFine_labelTrainIds.png',
        mask_sets,
        'a folder, with masks in masks/ and masks.txt',
    ).add_argument
    add('images', type=Path, metavar='IMAGES_DIR', help='folder of the images')
    add('masks', type=Path, metavar='MASKS_DIR', help='folder of the masks')
    add('--classes', type=positive, required=True, metavar='N', help='how many')
    add(
        '--ignore',
        type=int,
        default=255,
        metavar='ID',
        help='value of pixels that do not count (default: %(default)s)',
    )
    for kind, what, suffix in (('img', 'images', '.jpg'), ('seg-map', 'masks', '.png')):
        about = f'how names of {what} end (default: %(default)s)'
        add(f'--{kind}-suffix', default=suffix, metavar='TEXT', help=about)
    add(
        '--reduce-zero-label',
        action='store_true',
        help='0 is ignored and 1 the first class, as in ADE20K',
    )
    add(
        '--ann-file',
        default='',
        metavar='FILE.txt',
        help='list of names without their endings, one a line (default: all images)',
    )


def add_kind(
    kinds,
    about: tuple[str, str],
    example: str,
    make: Callable[[argparse.Namespace], list[DataSet]],
    out: str,
) -> argparse.ArgumentParser:
    """Add a sub-command with the options that all share.

    Args:
        kinds: What to add to.
        about: Its name, and what it checks.
        example: Arguments that it could be given.
        make: Makes the sets that are to be checked.
        out: What ``--fix`` writes.
    """
    name, what = about
    parser = kinds.add_parser(
        name,
        help=what,
        description=f'Check {what}.',
        epilog=f'example: python tools/check_dataset.py {name} {example}',
    )
    parser.set_defaults(make=make)
    add = parser.add_argument
    add_jobs(parser)
    add(
        '--show',
        type=positive,
        default=5,
        metavar='N',
        help='examples of each kind of fault to print (default: %(default)s)',
    )
    add('--report', type=Path, metavar='FILE.json', help='write all findings here')
    add(
        '--fix',
        type=Path,
        metavar='OUT',
        help=f'write a mended copy here, {out}; it must not exist yet',
    )
    return parser


def config_sets(args: argparse.Namespace) -> list[DataSet]:
    """The sets of the config."""
    return sets_of(load_config(args.config, args.cfg_options), args.split)


def coco_sets(args: argparse.Namespace) -> list[DataSet]:
    """The annotation file and its images."""
    keypoints = (
        keypoints_of(load_config(args.keypoints, {})) if args.keypoints else None
    )
    return [coco_set(args.annotations, args.images, keypoints)]


def mask_sets(args: argparse.Namespace) -> list[DataSet]:
    """The folders of images and masks."""
    suffixes = args.img_suffix, args.seg_map_suffix
    labels = Labels(args.classes, args.ignore)
    if args.classes > 256 or not 0 <= args.ignore <= 255:
        raise UserError('masks have 8 bits: --classes up to 256, --ignore 0 to 255')
    folders = args.images, args.masks
    return [
        folder_set(*folders, labels, suffixes, args.ann_file, args.reduce_zero_label)
    ]


def main() -> None:
    """Run the tool."""
    args = parse_args()
    if args.report:
        check_file('--report', args.report)
    sets = args.make(args)
    if args.fix:
        check_copy(args.fix, args.kind == 'coco', sets)
    inspections = [one.inspect(args.jobs) for one in sets]
    find_leaks(inspections)
    print(as_text(inspections, args.show))
    if args.report:
        write_report(inspections, args.report)
    if args.fix:
        lines = write_copies(sets, inspections, args.fix)
        print('\nmended copies:', *lines, sep='\n')
    sys.exit(1 if count(inspections, ERROR) else 0)


if __name__ == '__main__':
    run_tool(main)
