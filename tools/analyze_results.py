"""Take apart the predictions that tools/test.py --dump wrote: who and what is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.analysis.dumps import read_dump
from litehrnet_mm.analysis.keypoints import analyse, coco_metric
from litehrnet_mm.analysis.report import as_text, write_report
from litehrnet_mm.cli import UserError, run_tool, tool_parser
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.data_errors import data_errors
from litehrnet_mm.engine.options import add_cfg_options
from litehrnet_mm.engine.preflight import check_data


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('config', help='pose config that was tested, with CocoMetric as test_evaluator')
    add(
        'predictions',
        type=Path,
        metavar='PREDICTIONS.pkl',
        help='what tools/test.py --dump wrote',
    )
    add(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder for analysis.json, keypoints.png (a chart) and worst.png (the '
        'worst persons, ground truth beside prediction)',
    )
    add(
        '--worst',
        type=int,
        default=12,
        metavar='N',
        help='number of persons on worst.png (%(default)s if not given)',
    )
    add_cfg_options(
        parser, 'settings that override the config: those that the test was given'
    )
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    if args.worst < 1:
        raise UserError(f'--worst must be at least 1, got {args.worst}')
    cfg = load_config(args.config, args.cfg_options)
    coco_metric(cfg)
    samples = read_dump(args.predictions)
    check_data(cfg, ('test',))
    with data_errors(cfg):
        analysis = analyse(cfg, samples)
    write_report(analysis, args.out, args.worst)
    print(as_text(analysis))
    print(f'\nmetrics, keypoints, sizes and worst persons in {args.out}/analysis.json')
    print(f'pictures: {args.out}/keypoints.png, {args.out}/worst.png')


if __name__ == '__main__':
    run_tool(main)
