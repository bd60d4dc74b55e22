"""Train several configs alike from scratch, and compare what they reach.

Each is trained for the same number of iterations with the same batch, crop and seed,
and evaluated on the config's test set. The table goes to WORK_DIR/comparison.md. What
was finished with the very same config is not run again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm

from litehrnet_mm.analysis.complexity_config import input_size, measure_config
from litehrnet_mm.analysis.tables import amount, markdown_table, text_table
from litehrnet_mm.cli import (
    UserError,
    make_folder,
    one_line,
    positive,
    run_tool,
    tool_parser,
)
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.options import add_cfg_options, is_segmentation
from litehrnet_mm.engine.preflight import check_data
from litehrnet_mm.files import write_whole
from litehrnet_mm.workflow import Workflow, read_record


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('configs', nargs='+', metavar='CONFIG', help='segmentation configs')
    add('--iterations', type=positive, metavar='N', help="else each config's own")
    add('--batch-size', type=positive, metavar='N', help='images of a step')
    add(
        '--crop',
        type=positive,
        nargs=2,
        metavar=('H', 'W'),
        help='of training, in pixels',
    )
    add(
        '--seed',
        type=int,
        default=0,
        metavar='S',
        help='of what is random, for all alike; default: %(default)s',
    )
    add_cfg_options(parser, 'more settings for all, as for tools/train.py')
    add(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/comparison'),
        metavar='DIR',
        help='each config gets a folder in it (default: %(default)s)',
    )
    args = parser.parse_args()
    names = [Path(config).stem for config in args.configs]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f'two configs are called {name}, and so would their folder')
    return args


def configure(path: str, args: argparse.Namespace) -> Config:
    """The config with all that the command line asks for.

    Raises:
        UserError: If it cannot be read, or does not have what is to be set.
    """
    cfg = load_config(path, args.cfg_options)
    cfg.randomness = dict(seed=args.seed)
    if args.iterations:
        _set_iterations(cfg, path, args.iterations)
    if args.batch_size:
        cfg.train_dataloader.batch_size = args.batch_size
    if args.crop:
        size = tuple(args.crop)
        _find_crop(cfg, path).crop_size = size
        cfg.model.data_preprocessor.size = size
    return cfg


def check(cfg: Config, path: str) -> None:
    """Find out what is wrong before hours of training, not after.

    Raises:
        UserError: If it is no config of segmentation, its data are not there, or its
            network cannot be built or does not train on such crops.
    """
    if not is_segmentation(cfg):
        raise UserError(f'{path} is no segmentation config')
    check_data(cfg, ('train', 'test'))
    model = revert_sync_batchnorm(build_model(cfg, path)).train()
    batch = cfg.train_dataloader.batch_size
    height, width = cfg.model.data_preprocessor.get('size') or input_size(cfg, path)
    try:
        with torch.no_grad():
            model(torch.zeros(batch, 3, height, width))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f'{path} does not train on {batch} crops of {height}x{width} pixels: '
            f'{one_line(error)}'
        ) from error


def _set_iterations(cfg: Config, path: str, iterations: int) -> None:
    total = cfg.train_cfg.get('max_iters')
    if total is None:
        raise UserError(f'--iterations: {path} trains by epochs')
    for scheduler in cfg.get('param_scheduler', ()):
        if scheduler.get('end') == total:
            scheduler.end = iterations
        elif scheduler.get('end', 0) >= iterations:
            raise UserError(
                f'--iterations must be more than {scheduler.end}, the warm-up of {path}'
            )
    cfg.train_cfg.max_iters = cfg.default_hooks.checkpoint.interval = iterations


def _find_crop(cfg: Config, path: str) -> dict[str, Any]:
    for transform in cfg.train_dataloader.dataset.get('pipeline', ()):
        if transform.type == 'RandomCrop':
            return transform
    raise UserError(f'--crop: {path} has no RandomCrop in its pipeline')


def train_and_evaluate(cfg: Config, work: Path, place: str) -> dict[str, Any]:
    """Train and evaluate one config, or read what that gave before.

    Args:
        cfg: The config.
        work: Its folder, of its name.
        place: Which of how many it is, to announce.

    Returns:
        ``config``, its file; ``text``, its content; ``metrics`` and ``minutes``.
    """
    record, path = work / 'comparison.json', work / f'{work.name}.py'
    make_folder(work)
    cfg.dump(path)  # whatever a record names
    if record.exists():
        found = read_record(record)
        if found['text'] == cfg.pretty_text:
            print(f'{work.name}: finished before, see {record}')
            return dict(found, config=str(path))
    flow = Workflow(str(path), work)
    checkpoint = flow.train(f'Training {work.name} ({place})')
    minutes = round(flow.minutes(), 1)
    metrics = flow.evaluate(f'Evaluating {work.name} ({place})', checkpoint)
    found = dict(config=str(path), metrics=metrics, minutes=minutes)
    found.update(text=cfg.pretty_text)
    write_whole(record, (json.dumps(found, indent=2) + '\n').encode())
    return found


def tabulate(found: list[dict[str, Any]]) -> list[list[str]]:
    """Header and rows: what each network costs, and what it reached."""
    names = [
        name
        for name in found[0]['metrics']
        if all(name in result['metrics'] for result in found)
    ]
    rows = [['config', 'parameters', 'MACs', 'minutes', *names]]
    for result in found:
        cost = measure_config(result['config'])
        metrics = [f'{result["metrics"][name]:.2f}' for name in names]
        counts = [amount(cost.parameters), amount(cost.macs)]
        name = Path(result['config']).stem
        rows.append([name, *counts, f'{result["minutes"]:.0f}', *metrics])
    return rows


def main() -> None:
    """Train all, print the table and write it."""
    args = parse_args()
    cfgs = [configure(path, args) for path in args.configs]
    for path, cfg in zip(args.configs, cfgs):
        check(cfg, path)
    found = [
        train_and_evaluate(cfg, args.work_dir / Path(path).stem, f'{k} of {len(cfgs)}')
        for k, (path, cfg) in enumerate(zip(args.configs, cfgs), 1)
    ]
    rows = tabulate(found)
    page = args.work_dir / 'comparison.md'
    command = f'```bash\npython {shlex.join(sys.argv)}\n```'
    page.write_text(f'{command}\n\n{markdown_table(rows)}\n', encoding='utf-8')
    print(f'\n{text_table(rows, "<" + ">" * (len(rows[0]) - 1))}\n\nalso in {page}')


if __name__ == '__main__':
    run_tool(main)
