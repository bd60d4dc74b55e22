"""Evaluate a checkpoint with a pose or segmentation config."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mmengine.config import Config

from litehrnet_mm.cli import UserError, check_file, make_folder, run_tool
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.launch import test
from litehrnet_mm.engine.mask_loading import without_loading
from litehrnet_mm.engine.options import apply_common, is_segmentation, make_parser
from litehrnet_mm.engine.preflight import named_paths
from litehrnet_mm.engine.settings_check import check_parts


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint file: of this project, of MMPose 0.x or 1.x, or of the '
        'official Lite-HRNet repository',
    )
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='evaluate a checkpoint that does not fit the config, as far as it does',
    )
    parser.add_argument(
        '--list-all',
        action='store_true',
        help='list all that does not fit, not the first 20 entries of each kind',
    )
    parser.add_argument(
        '--dump',
        metavar='FILE.pkl',
        help='write all predictions to this pickle file, for evaluation elsewhere',
    )
    parser.add_argument(
        '--metrics', metavar='FILE.json', help='write the metrics to this JSON file'
    )
    parser.add_argument(
        '--out',
        metavar='PATH',
        help='as in MMPose and MMSegmentation; pose: the same as --metrics; '
        'segmentation: write the predicted label maps into this folder, those of '
        "Cityscapes with the test server's label ids",
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test-time augmentation, as tta_model and tta_pipeline of a '
        'segmentation config say',
    )
    return parser.parse_args()


def apply_testing(cfg: Config, args: argparse.Namespace) -> None:
    """Write the options of testing into the config, in place."""
    check_parts(cfg, 'test')
    cfg.load_from = args.checkpoint
    if args.dump:
        if Path(args.dump).suffix not in ('.pkl', '.pickle'):
            raise UserError(f'--dump writes a .pkl file, got {args.dump}')
        check_file('--dump', Path(args.dump))
        add_metric(cfg, dict(type='DumpResults', out_file_path=args.dump))
    if args.out and is_segmentation(cfg):
        write_label_maps(cfg, args.out)
    metrics = args.metrics or (not is_segmentation(cfg) and args.out)
    if metrics:
        check_file('--metrics', Path(metrics))
        hook = dict(type='litehrnet_mm.SaveMetricsHook', out_file=metrics)
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]
    if args.tta:
        if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
            raise UserError(f'--tta needs tta_model and tta_pipeline in {args.config}')
        dataset = cfg.test_dataloader.dataset
        dataset.pipeline = cfg.tta_pipeline
        if dataset.get('test_mode'):  # there are no masks to load
            dataset.pipeline = without_loading(cfg.tta_pipeline)
        cfg.model = dict(**cfg.tta_model, module=cfg.model)


def write_label_maps(cfg: Config, folder: str) -> None:
    """Have predictions written at the size of the images, an image a PNG."""
    check_output(cfg.test_dataloader.dataset, Path(folder))
    output = dict(output_dir=folder, keep_results=True)
    metrics = cfg.test_evaluator
    if isinstance(metrics, dict) and metrics.type == 'CityscapesMetric':
        metrics.update(output)
    elif cfg.test_dataloader.dataset.type == 'CityscapesDataset':
        add_metric(cfg, dict(type='CityscapesMetric', format_only=True, **output))
    else:
        first = metrics[0] if isinstance(metrics, (list, tuple)) else metrics
        first.update(output)


def check_output(dataset: dict[str, Any], folder: Path) -> None:
    """Refuse to write over images and masks, whose names the predictions have.

    A name like that of a file would become a folder's.
    """
    if folder.suffix in ('.pkl', '.pickle', '.json', '.png') and not folder.is_dir():
        raise UserError(
            f'--out is the folder of predicted label maps, and {folder} looks like a '
            'file: use --dump for predictions, --metrics for metrics'
        )
    out = folder.resolve()
    for _, kind, path in named_paths(dataset, ''):
        if kind == 'folder' and path.resolve() in (out, *out.parents):
            raise UserError(
                f'--out {folder} is a folder of the data set, whose files the '
                'predictions would replace: give another'
            )
    make_folder(folder)


def add_metric(cfg: Config, metric: dict) -> None:
    """Add a metric beside those of the config's test evaluator."""
    metrics = cfg.test_evaluator
    metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    cfg.test_evaluator = [*metrics, metric]


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    apply_testing(cfg, args)
    apply_common(cfg, args)
    test(cfg, args.allow_partial, args.list_all)


if __name__ == '__main__':
    run_tool(main)
