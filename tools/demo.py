"""The whole way once, on synthetic people: make data, train, evaluate, draw."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from litehrnet_mm.cli import UserError, run_tool
from litehrnet_mm.datasets.sheet import write_prediction_sheet

DATA = Path('data/synthetic_people')
WORK = Path('work_dirs/demo')
CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
COCO_CONFIG = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
COCO_COMMANDS = f"""\
With COCO in data/coco (annotations/, train2017/, val2017/), the same on real people:
  .venv/bin/python tools/train.py {COCO_CONFIG}
  .venv/bin/python tools/test.py {COCO_CONFIG} CHECKPOINT \\
      --cfg-options test_dataloader.dataset.bbox_file=None"""


def run(title: str, *command: str) -> None:
    """Show a command and run it; its output stays visible."""
    print(f'\n== {title}\n$ python {shlex.join(command)}', flush=True)
    env = {**os.environ, 'SYNTHETIC_ROOT': str(DATA)}
    status = subprocess.run([sys.executable, *command], env=env).returncode
    if status:
        raise UserError(f'the demo stopped: python {command[0]} ended with {status}')


def make_data() -> None:
    """Make the images to train on and those to evaluate on."""
    for split, images, seed in (('train', 2500, 0), ('val', 250, 1)):
        numbers = ('--images', str(images), '--seed', str(seed), '--persons', '1', '2')
        run(
            f'Making {images} images of synthetic people',
            *('tools/make_synthetic.py', 'people', str(DATA / split), *numbers),
            *('--workers', '2', '--overwrite'),
        )


def main() -> None:
    """Run the demo."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start = time.monotonic()
    make_data()
    options = ('--work-dir', str(WORK))
    run(
        'Training Lite-HRNet-18 from nothing',
        *('tools/train.py', CONFIG, *options, '--no-validate'),
    )
    checkpoint = (WORK / 'last_checkpoint').read_text().strip()
    metrics = WORK / 'metrics.json'
    prefix = WORK / 'predictions'
    run(
        'Evaluating on images that training has not seen',
        *('tools/test.py', CONFIG, checkpoint, *options, '--out', str(metrics)),
        *('--cfg-options', f'test_evaluator.outfile_prefix={prefix}'),
    )
    picture = WORK / 'poses.png'
    write_prediction_sheet(picture, DATA / 'val', f'{prefix}.keypoints.json')
    average_precision = json.loads(metrics.read_text())['coco/AP']
    print(
        f'\nDone in {(time.monotonic() - start) / 60:.1f} minutes.\n'
        f'COCO AP on held-out synthetic images: {average_precision:.3f}\n'
        f'Predicted poses: {picture}\n\n{COCO_COMMANDS}'
    )


if __name__ == '__main__':
    run_tool(main)
