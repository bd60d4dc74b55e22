"""Export a pose or segmentation config as ONNX, rewritten to be fast, and checked.

The file is compared with PyTorch on three random images and a photograph, and written
only if it computes the same. It tells its class or keypoint names, skeleton, mean,
deviation and input size in its metadata.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.analysis.complexity_config import input_size
from litehrnet_mm.cli import (
    UserError,
    make_folder,
    positive,
    run_tool,
    tool_parser,
    warn_user,
)
from litehrnet_mm.deploy.export import RUNTIMES, export
from litehrnet_mm.deploy.plan import Plan, Wanted
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.loading import load_model
from litehrnet_mm.engine.options import add_cfg_options


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('config', metavar='CONFIG', help='config file, of pose or of segmentation')
    add(
        'checkpoint',
        nargs='?',
        metavar='CHECKPOINT',
        help='weights; without them the file has random ones, to measure its speed',
    )
    add('out', type=Path, metavar='OUT.onnx', help='file to write')
    add_cfg_options(parser, 'settings that override the config')
    add_inputs(parser)
    add_outputs(parser)
    add_computing(parser)
    return parser.parse_args()


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add what the file is to take."""
    add = parser.add_argument_group('what it takes').add_argument
    add(
        '--input-size',
        type=positive,
        nargs=2,
        metavar=('H', 'W'),
        help="in pixels; if not given, the config's",
    )
    add(
        '--dynamic',
        choices=('batch', 'all'),
        default='',
        help='batch: any number of images; all: of any size that the network takes, '
        'too (slower: sizes are then computed as it runs)',
    )
    add(
        '--with-preprocess',
        action='store_true',
        help='take images as OpenCV reads them, (N, H, W, 3), uint8, BGR',
    )


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add what the file is to give."""
    add = parser.add_argument_group('what it gives').add_argument
    add(
        '--backbone-only',
        action='store_true',
        help='the feature maps of the backbone, without neck and head',
    )
    add(
        '--decode',
        action='store_true',
        help='pose: give keypoints, in pixels of the input, and scores, not heatmaps',
    )
    add(
        '--label-map',
        action='store_true',
        help='segmentation: give the class of each pixel, uint8, not scores',
    )


def add_computing(parser: argparse.ArgumentParser) -> None:
    """Add how and where the file is to be computed."""
    add = parser.add_argument_group('how it computes').add_argument
    add(
        '--precision',
        choices=('fp32', 'fp16'),
        default='fp32',
        help='of weights and computations; default: %(default)s',
    )
    add(
        '--opset',
        type=positive,
        default=17,
        metavar='N',
        help='version of the ONNX operators; default: %(default)s',
    )
    add(
        '--runtime',
        choices=tuple(RUNTIMES),
        default='onnxruntime',
        help='what the file should be fast on; it runs on others, too; default: '
        '%(default)s',
    )


def main() -> None:
    """Run the tool."""
    args = parse_args()
    if args.out.suffix != '.onnx':
        raise UserError(f'the file to write should end in .onnx, got {args.out}')
    make_folder(args.out.parent)
    cfg = load_config(args.config, args.cfg_options)
    if args.checkpoint is None:
        warn_user('no checkpoint given: the weights are random')
    model = load_model(cfg, args.config, args.checkpoint)
    plan = Plan(
        size=tuple(args.input_size or input_size(cfg, args.config, '--input-size H W')),
        wanted=Wanted(
            args.backbone_only, args.with_preprocess, args.decode, args.label_map
        ),
        dynamic=args.dynamic,
        precision=args.precision,
        opset=args.opset,
        runtime=args.runtime,
    )
    worst = export(model, cfg, args.out, plan)
    megabytes = args.out.stat().st_size / 1e6
    print(
        f'{args.out}: {megabytes:.1f} MB; largest difference to PyTorch on three '
        f'random images and a photograph: {worst:.2g}'
    )


if __name__ == '__main__':
    run_tool(main)
