"""Train several configs alike from scratch, and compare what they reach.

Each is trained for the same number of iterations with the same batch, crop and seed,
and evaluated on the config's test set. The table goes to WORK_DIR/comparison.md. What
was finished with the same settings is not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from litehrnet_mm.analysis.complexity_config import measure_config
from litehrnet_mm.analysis.tables import amount, markdown_table, text_table
from litehrnet_mm.cli import UserError, run_tool
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.workflow import Workflow


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('configs', nargs='+', metavar='CONFIG', help='segmentation configs')
    add('--iterations', type=int, metavar='N', help="if not given, each config's own")
    add('--batch-size', type=int, metavar='N', help='images in a step of a process')
    add('--crop', type=int, nargs=2, metavar=('H', 'W'), help='of training, in pixels')
    add('--seed', type=int, default=0, metavar='S', help='default: %(default)s')
    add(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='more settings for all, as for tools/train.py',
    )
    add(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/comparison'),
        metavar='DIR',
        help='each config gets a folder in it (default: %(default)s)',
    )
    return parser.parse_args()


def settings_of(cfg: Config, args: argparse.Namespace) -> list[str]:
    """What the command line asks for, as settings of a config.

    Raises:
        UserError: If the config does not have what is to be set.
    """
    settings = [f'randomness.seed={args.seed}']
    if args.iterations:
        total = cfg.train_cfg.get('max_iters')
        if total is None:
            raise UserError(f'--iterations: {cfg.filename} trains by epochs')
        settings += [f'train_cfg.max_iters={args.iterations}']
        settings += [
            f'param_scheduler.{k}.end={args.iterations}'
            for k, scheduler in enumerate(cfg.get('param_scheduler', ()))
            if scheduler.get('end') == total
        ]
        settings += [f'default_hooks.checkpoint.interval={args.iterations}']
    if args.batch_size:
        settings += [f'train_dataloader.batch_size={args.batch_size}']
    if args.crop:
        size = '"({},{})"'.format(*args.crop)
        settings += [f'train_dataloader.dataset.pipeline.{_crop(cfg)}.crop_size={size}']
        settings += [f'model.data_preprocessor.size={size}']
    return [*settings, *args.cfg_options]


def _crop(cfg: Config) -> int:
    pipeline = cfg.train_dataloader.dataset.get('pipeline', ())
    for index, transform in enumerate(pipeline):
        if transform.type == 'RandomCrop':
            return index
    raise UserError(f'--crop: {cfg.filename} has no RandomCrop in its pipeline')


def train_and_evaluate(
    config: str, settings: list[str], work: Path, place: str
) -> dict[str, Any]:
    """Train and evaluate one config, or read what that gave before.

    Args:
        config: Its file.
        settings: For ``--cfg-options``.
        work: Its folder.
        place: Which of how many it is, to announce.

    Returns:
        ``settings``, ``metrics`` and ``minutes``.
    """
    record = work / 'comparison.json'
    if record.is_file():
        found = json.loads(record.read_text())
        if found['settings'] == settings:
            print(f'{config}: finished before, see {record}')
            return found
    flow = Workflow(config, work)
    name = Path(config).stem
    checkpoint = flow.train(f'Training {name} ({place})', '--cfg-options', *settings)
    minutes = flow.minutes()
    metrics = flow.evaluate(f'Evaluating {name} ({place})', checkpoint)
    found = dict(settings=settings, metrics=metrics, minutes=round(minutes, 1))
    record.write_text(json.dumps(found, indent=2) + '\n')
    return found


def tabulate(configs: list[str], found: list[dict[str, Any]]) -> list[list[str]]:
    """Header and rows: what each network costs, and what it reached."""
    names = [key for key in found[0]['metrics'] if key in found[-1]['metrics']]
    rows = [['config', 'parameters', 'MACs', 'minutes', *names]]
    for config, result in zip(configs, found):
        cost = measure_config(config)
        metrics = [f'{result["metrics"][name]:.2f}' for name in names]
        counts = [amount(cost.parameters), amount(cost.macs)]
        rows.append([Path(config).stem, *counts, f'{result["minutes"]:.0f}', *metrics])
    return rows


def main() -> None:
    """Train all, print the table and write it."""
    args = parse_args()
    cfgs = [load_config(config, {}) for config in args.configs]
    settings = [settings_of(cfg, args) for cfg in cfgs]
    found = [
        train_and_evaluate(
            config, setting, args.work_dir / Path(config).stem, f'{k} of {len(cfgs)}'
        )
        for k, (config, setting) in enumerate(zip(args.configs, settings), 1)
    ]
    rows = tabulate(args.configs, found)
    page = args.work_dir / 'comparison.md'
    page.write_text(markdown_table(rows) + '\n', encoding='utf-8')
    print(f'\n{text_table(rows, "<" + ">" * (len(rows[0]) - 1))}\n\nalso in {page}')


if __name__ == '__main__':
    run_tool(main)
