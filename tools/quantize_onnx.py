"""Bring an exported file to 8 bits (int8), calibrated on a folder of images.

Each convolution is first observed on these images. Those that lose too much in 8 bits
stay in fp32 (--tolerance). What the new file finds is then compared with the old one,
and both are timed: a smaller file need not be a faster one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from litehrnet_mm.analysis.latency import Candidate, time_interleaved
from litehrnet_mm.cli import (
    UserError,
    make_folder,
    positive,
    progress_bar,
    run_tool,
    tool_parser,
)
from litehrnet_mm.deploy.quantize import Quantized, quantize
from litehrnet_mm.evaluation.coco_keypoints import (
    average_precision,
    check_evaluated,
    naming,
    read_persons,
)
from litehrnet_mm.evaluation.scores import MIN_KEYPOINT_SCORE
from litehrnet_mm.prediction.networks import open_exported
from litehrnet_mm.prediction.sources import PICTURES
from litehrnet_mm.runtime import PoseRuntime, SegRuntime
from litehrnet_mm.visualization.pictures import read_image

ROUNDS = 20


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('source', type=Path, metavar='NET.onnx', help='of tools/export_onnx.py, fp32')
    add('calibration', type=Path, metavar='DIR', help='images like those to come')
    add('out', type=Path, metavar='OUT.onnx', help='file to write')
    add(
        '--annotations',
        type=Path,
        metavar='FILE.json',
        help="pose: persons of DIR's images, as COCO has them; without it each image "
        'is taken as one person',
    )
    add(
        '--limit',
        type=positive,
        default=64,
        metavar='N',
        help='persons or images to calibrate with; default: %(default)s',
    )
    add(
        '--tolerance',
        type=float,
        default=0.05,
        metavar='X',
        help='a convolution stays in fp32 if 8 bits change its output by more than '
        'this share of its standard deviation; default: %(default)s',
    )
    add(
        '--evaluate',
        type=Path,
        nargs=2,
        metavar=('FILE.json', 'DIR'),
        help="pose: COCO's annotations and images, for the AP before and after",
    )
    args = parser.parse_args()
    if args.out.suffix != '.onnx':
        raise UserError(f'the file to write should end in .onnx, got {args.out}')
    if args.out.resolve() == args.source.resolve():
        raise UserError(f'{args.out} would replace the file it is made of')
    if not args.tolerance > 0:
        raise UserError(f'--tolerance must be more than 0, got {args.tolerance}')
    return args


def collect_images(
    net: PoseRuntime | SegRuntime, args: argparse.Namespace
) -> list[np.ndarray]:
    """Images at the network's size, each ``(1, H, W, 3)``, BGR, uint8.

    Raises:
        UserError: If there are none, or one cannot be read or made an input.
    """
    if args.annotations:
        persons = read_persons(args.annotations, args.calibration)
        listed = [(p.path, box) for p in persons for box in p.boxes]
    elif os.path.isdir(args.calibration):
        paths = sorted(args.calibration.iterdir())
        listed = [(p, None) for p in paths if p.suffix.lower() in PICTURES]
    else:
        raise UserError(f'no such folder: {args.calibration}')
    if not listed:
        raise UserError(f'no images ({", ".join(PICTURES)}) in {args.calibration}')
    chosen = np.linspace(0, len(listed) - 1, min(args.limit, len(listed)))
    found = []
    for path, box in (listed[round(k)] for k in chosen):
        image = read_image(path)
        boxes = None if box is None else box[None]
        with naming(path):
            if isinstance(net, SegRuntime):
                found.append(net.fit(image))
            else:
                found.append(net.cut(image, net.crops(image, boxes)))
    return found


def agreement(
    old: PoseRuntime | SegRuntime,
    new: PoseRuntime | SegRuntime,
    images: list[np.ndarray],
) -> str:
    """How far both files find the same."""
    apart = []
    for image in progress_bar(images, len(images), title='Comparing'):
        if isinstance(old, SegRuntime):
            apart.append(np.mean(old(image[0]) == new(image[0])))
        else:
            (points, scores), (others, _) = (net.find(image) for net in (old, new))
            apart.append(
                np.linalg.norm(points - others, axis=-1)[scores > MIN_KEYPOINT_SCORE]
            )
    if isinstance(old, SegRuntime):
        return f'the same class on {100 * np.mean(apart):.2f} % of the pixels'
    distances = np.concatenate(apart)
    if not len(distances):
        return f'fp32 finds no keypoint with a score above {MIN_KEYPOINT_SCORE:g}'
    near, far = np.quantile(distances, (0.5, 0.95))
    return (
        f'half of the keypoints with a score above {MIN_KEYPOINT_SCORE:g} are within '
        f'{near:.2f}, 95 % within {far:.2f} pixels of the input'
    )


def timing(
    old: PoseRuntime | SegRuntime, new: PoseRuntime | SegRuntime, image: np.ndarray
) -> str:
    """One pass of each, in turns."""
    candidates = [
        Candidate(name, 'ONNX Runtime', lambda net=net: net.model.run(image))
        for name, net in (('fp32', old), ('int8', new))
    ]
    time_interleaved(candidates, ROUNDS)
    times = ', '.join(f'{c.net} {c.median:.1f} ms' for c in candidates)
    return f'a pass on one thread of this CPU, median of {ROUNDS}: {times}'


def report(made: Quantized, args: argparse.Namespace) -> None:
    """Print what became of the file."""
    before, after = (path.stat().st_size / 1e6 for path in (args.source, args.out))
    total = len(made.rounded) + len(made.kept)
    print(f'{args.out}: {after:.1f} MB, where {args.source} has {before:.1f}')
    print(f'{len(made.rounded)} of {total} convolutions are in 8 bits')
    for convolution in made.kept[:5]:
        print(f'  fp32: {convolution.name}, which would lose {convolution.error:.2g}')
    if len(made.kept) > 5:
        print(f'  fp32: and {len(made.kept) - 5} more')


def main() -> None:
    """Quantise, compare, time, evaluate."""
    args = parse_args()
    make_folder(args.out.parent)
    old = open_exported(args.source, threads=1)
    if isinstance(old, SegRuntime) and (args.annotations or args.evaluate):
        raise UserError('--annotations and --evaluate are for pose networks')
    persons = []
    if args.evaluate:
        check_evaluated(args.evaluate[0], len(old.keypoints))
        persons = read_persons(*args.evaluate)
    images = collect_images(old, args)
    inputs = [old.model.prepare(image) for image in images]
    made = quantize(args.source, args.out, inputs, args.tolerance)
    report(made, args)
    new = open_exported(args.out, threads=1)
    print(f'on the calibration images: {agreement(old, new, images)}')
    print(timing(old, new, images[0]))
    if persons:
        before, after = (
            average_precision(net, args.evaluate[0], persons) for net in (old, new)
        )
        count = sum(len(p.boxes) for p in persons)
        print(f'AP of {count} persons: fp32 {before:.4f}, int8 {after:.4f}')


if __name__ == '__main__':
    run_tool(main)
