"""Draw the loss and the metrics of trainings as curves, and print their best values.

RUN is a work folder of tools/train.py, of which the newest run is taken, joined with
those that it resumed; or a log, like TIMESTAMP/vis_data/scalars.json. MMEngine logs
losses as means over the last iterations (log_processor.window_size).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.analysis.curves import (
    choose_keys,
    draw_curves,
    list_keys,
    summary_rows,
)
from litehrnet_mm.analysis.logs import Log, read_log
from litehrnet_mm.analysis.tables import text_table
from litehrnet_mm.cli import UserError, run_tool, tool_parser
from litehrnet_mm.visualization.charts import figure_path


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('runs', nargs='+', type=Path, metavar='RUN', help='work folder, or a log')
    add(
        '--out',
        type=figure_path,
        metavar='FILE',
        help='the curves, as .png, .svg or .pdf; without it only values are printed',
    )
    add(
        '--keys',
        nargs='+',
        default=[],
        metavar='KEY',
        help='scalars, e.g. loss acc_pose coco/AP mIoU lr; default: loss, and the '
        'chief metric of each evaluation (coco/AP, mIoU, PCK ...)',
    )
    add('--list', action='store_true', help='print which scalars there are, and end')
    add('--names', nargs='+', metavar='NAME', help="of the runs; default: their files'")
    add(
        '--smooth',
        type=float,
        default=0,
        metavar='X',
        help='smooth curves of training (not lr) as TensorBoard does, by X from 0 to '
        'below 1; default: %(default)s',
    )
    add(
        '--x',
        choices=('iter', 'epoch'),
        help='horizontal axis; default: epochs if all runs were trained by epochs',
    )
    args = parser.parse_args()
    if not 0 <= args.smooth < 1:
        raise UserError(f'--smooth must be at least 0 and below 1, got {args.smooth}')
    if args.names and len(args.names) != len(args.runs):
        raise UserError(
            f'--names needs a name for each run: {len(args.runs)} runs, '
            f'{len(args.names)} names'
        )
    return args


def read_logs(args: argparse.Namespace) -> list[Log]:
    """Read all runs, under the given names or those of their files."""
    names = args.names or [path.resolve().stem for path in args.runs]
    if len(set(names)) < len(names) and not args.names:
        names = list(map(str, args.runs))
    return [read_log(path, name) for path, name in zip(args.runs, names)]


def main() -> None:
    """Read, draw, print."""
    args = parse_args()
    logs = read_logs(args)
    if args.list:
        print(list_keys(logs))
        return
    keys = choose_keys(logs, args.keys)
    if args.out:
        x = args.x or ('epoch' if all(log.by_epoch for log in logs) else 'iter')
        draw_curves(logs, keys, x, args.smooth, args.out)
    print(text_table(summary_rows(logs, keys), '<<>>>>'))
    if args.out:
        print(f'\ncurves: {args.out}')


if __name__ == '__main__':
    run_tool(main)
