"""The whole way once, on synthetic streets: make data, train, evaluate, draw."""

from __future__ import annotations

import shutil
from pathlib import Path

from litehrnet_mm.cli import run_tool, tool_parser
from litehrnet_mm.datasets.streets import write_comparison
from litehrnet_mm.workflow import Workflow

DATA = Path('data/synthetic_streets')
WORK = Path('work_dirs/demo_seg')
CONFIG = 'configs/seg/synthetic/fcn_litehrnet-18_1xb4-2000_synthetic-128x256.py'
CITY_CONFIG = 'configs/seg/cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'
CITY_COMMANDS = f"""\
With Cityscapes' two archives in data/cityscapes, the same on real streets:
  .venv/bin/python tools/prepare_cityscapes.py data/cityscapes
  .venv/bin/python tools/train.py {CITY_CONFIG}
  .venv/bin/python tools/test.py {CITY_CONFIG} CHECKPOINT"""
SHOWN = 4
"""Scenes in the picture."""


def make_data(demo: Workflow) -> None:
    """Make the scenes to train on and those to evaluate on."""
    for split, images, seed in (('train', 700, 0), ('val', 60, 1)):
        numbers = ('--images', str(images), '--seed', str(seed), '--split', split)
        demo.run(
            f'Making {images} synthetic street scenes',
            *('tools/make_synthetic.py', 'streets', str(DATA), *numbers),
            *('--workers', '2', '--overwrite'),
        )


def draw(data: Path, predictions: Path, picture: Path) -> None:
    """Draw the first held-out scenes, their true labels and the predicted ones."""
    images = sorted((data / 'leftImg8bit/val').rglob('*_leftImg8bit.png'))[:SHOWN]
    truths = [
        data
        / 'gtFine/val'
        / path.parent.name
        / path.name.replace('leftImg8bit', 'gtFine_labelTrainIds')
        for path in images
    ]
    found = [predictions / path.name for path in images]
    write_comparison(picture, images, truths, found)


def main() -> None:
    """Run the demo."""
    tool_parser(__doc__).parse_args()
    demo = Workflow(CONFIG, WORK, {'STREETS_ROOT': str(DATA)})
    make_data(demo)
    checkpoint = demo.train('Training Lite-HRNet-18 from nothing')
    predictions = WORK / 'predictions'
    shutil.rmtree(predictions, ignore_errors=True)
    metrics = demo.evaluate(
        'Evaluating on scenes that training has not seen',
        checkpoint,
        *('--out', str(predictions)),
    )
    picture = WORK / 'streets.png'
    draw(DATA, predictions, picture)
    print(
        f'\nDone in {demo.minutes():.1f} minutes.\n'
        f'mIoU of 19 classes on held-out synthetic scenes: '
        f'{metrics["mIoU"] / 100:.3f} (the table above has each class)\n'
        f'Images, true and predicted labels: {picture}\n\n{CITY_COMMANDS}'
    )


if __name__ == '__main__':
    run_tool(main)
