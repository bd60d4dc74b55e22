"""Find poses, or classes of pixels, in pictures, folders, films or a camera's view.

MODEL is an ONNX file of tools/export_onnx.py, or a config and its checkpoint. In DIR
are then pictures with what was found drawn over them (of a film a film), and
keypoints.json in COCO's results format, or for segmentation label maps and
classes.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.cli import (
    PictureError,
    UserError,
    make_folder,
    progress_bar,
    run_tool,
    tool_parser,
)
from litehrnet_mm.engine.options import add_cfg_options
from litehrnet_mm.prediction.boxes import FileBoxes, SameBoxes
from litehrnet_mm.prediction.detectors import open_detector
from litehrnet_mm.prediction.inputs import check_boxes, report_damaged
from litehrnet_mm.prediction.networks import (
    Network,
    open_network,
    split_model,
    takes_boxes,
)
from litehrnet_mm.prediction.results import (
    FilmWriter,
    LabelResults,
    PoseResults,
    write_json,
    write_picture,
)
from litehrnet_mm.prediction.sources import Film, Source, open_sources
from litehrnet_mm.values import LARGEST, are_numbers
from litehrnet_mm.visualization.windows import show_picture


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(
        __doc__,
        usage='%(prog)s [-h] MODEL INPUT [INPUT ...] [--out DIR] [options]',
    )
    add = parser.add_argument
    add(
        'words',
        nargs='+',
        metavar='MODEL INPUT',
        help='NET.onnx, or CONFIG.py CHECKPOINT.pth; then pictures, folders, patterns '
        'in quotes, films, or the number of a camera',
    )
    add('--out', type=Path, metavar='DIR', help='folder for the results')
    add('--show', action='store_true', help='open a window, too; q ends')
    add_persons(parser)
    add_pytorch(parser)
    args = parser.parse_args()
    check_args(args)
    return args


def add_persons(parser: argparse.ArgumentParser) -> None:
    """Add what says where persons are, and which are drawn."""
    add = parser.add_argument_group(
        'persons, for pose networks',
        'Without --boxes, --box and --detector each image is one person.',
    ).add_argument
    add(
        '--boxes',
        type=Path,
        metavar='FILE.json',
        help="persons in pictures: COCO's detections, or annotations; a picture is "
        'found there by its file_name, or by the number that its name is',
    )
    add(
        '--box',
        type=float,
        nargs=4,
        action='append',
        default=[],
        metavar=('X', 'Y', 'W', 'H'),
        help='a person, in pixels, in each image; may be given several times',
    )
    add(
        '--detector',
        nargs='+',
        metavar=('MODEL', 'CHECKPOINT'),
        help='persons: what this network finds: FILE.onnx as MMDeploy exports it, or '
        'CONFIG CHECKPOINT of MMDetection (mmdet::… is one of its own configs)',
    )
    add(
        '--min-box-score',
        type=float,
        default=0.3,
        metavar='X',
        help='boxes of --boxes and --detector below this are left out; default: '
        '%(default)s',
    )
    add(
        '--min-score',
        type=float,
        default=0.2,
        metavar='X',
        help='poses below this are not drawn; default: %(default)s',
    )


def add_pytorch(parser: argparse.ArgumentParser) -> None:
    """Add what goes with a config and its checkpoint."""
    group = parser.add_argument_group('with PyTorch')
    group.add_argument(
        '--device', metavar='NAME', help='of PyTorch, e.g. cpu; a GPU if there is one'
    )
    add_cfg_options(group, 'settings that override the config')


def check_args(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        UserError: With what it is.
    """
    if not args.out and not args.show:
        raise UserError('nothing would be kept or seen: give --out DIR, or --show')
    if sum(map(bool, (args.boxes, args.box, args.detector))) > 1:
        raise UserError('--boxes, --box and --detector all say where persons are')
    for box in args.box:
        if not are_numbers(box) or min(box[2:]) <= 0:
            raise UserError(
                f'--box X Y W H takes numbers up to {LARGEST:g}, width and height '
                'above 0'
            )


def make_results(
    network: Network, args: argparse.Namespace
) -> PoseResults | LabelResults:
    """What predicts, and keeps what was found.

    Raises:
        UserError: If boxes were given to a network that takes none, or cannot be read.
    """
    if takes_boxes(network):
        boxes = SameBoxes(args.box)
        if args.boxes:
            boxes = FileBoxes.read(args.boxes, args.min_box_score)
        elif args.detector:
            boxes = open_detector(args.detector, args.min_box_score, args.device)
        return PoseResults(network, boxes, args.min_score)
    if args.boxes or args.box or args.detector:
        raise UserError('boxes are for pose networks, and this one is for segmentation')
    return LabelResults(network, args.out / 'labels' if args.out else None)


def predict(
    source: Source, results: PoseResults | LabelResults, args: argparse.Namespace
) -> bool:
    """Go through a source; whether to go on with the next."""
    film = None
    if isinstance(source, Film) and args.out:
        film = FilmWriter(args.out / f'{source.name}.mp4', source.rate)
    title = source.name if isinstance(source, Film) else 'Predicting'
    try:
        for frame in progress_bar(source, source.total, title=title, unit=' images'):
            try:
                drawn = results.add(frame)
                if film is not None:
                    film.add(drawn)
                elif args.out:
                    write_picture(args.out / 'pictures', frame, drawn)
            except PictureError as error:
                if isinstance(source, Film):
                    raise
                source.damaged.append(str(error))  # and the others are done
                continue
            wait = not isinstance(source, Film)
            if args.show and not show_picture(drawn, wait):
                return False
    except KeyboardInterrupt:  # what was found so far is kept
        return False
    finally:
        if film is not None:
            film.close()
    return True


def main() -> None:
    """Run the tool."""
    args = parse_args()
    model, inputs = split_model(args.words)
    sources = open_sources(inputs)
    network = open_network(model, args.cfg_options, args.device)
    if args.out:
        make_folder(args.out)
    results = make_results(network, args)
    if isinstance(results, PoseResults):
        check_boxes(results.boxes, sources)
    try:
        for source in sources:
            if not predict(source, results, args):
                break
    finally:
        if args.out and results.content():
            write_json(args.out / results.file, results.content())
    print(results.summary())
    if args.out:
        print(f'in {args.out}: pictures or films, and {results.file}')
    report_damaged(sources)


if __name__ == '__main__':
    run_tool(main)
