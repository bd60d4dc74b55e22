"""The whole way once, on synthetic people: make data, train, evaluate, draw."""

from __future__ import annotations

from pathlib import Path

from litehrnet_mm.cli import run_tool, tool_parser
from litehrnet_mm.datasets.sheet import write_prediction_sheet
from litehrnet_mm.workflow import Workflow

DATA = Path('data/synthetic_people')
WORK = Path('work_dirs/demo')
CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
COCO_CONFIG = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
COCO_COMMANDS = f"""\
With COCO in data/coco (annotations/, train2017/, val2017/), the same on real people:
  .venv/bin/python tools/train.py {COCO_CONFIG}
  .venv/bin/python tools/test.py {COCO_CONFIG} CHECKPOINT \\
      --cfg-options test_dataloader.dataset.bbox_file=None"""


def make_data(demo: Workflow) -> None:
    """Make the images to train on and those to evaluate on."""
    for split, images, seed in (('train', 2500, 0), ('val', 250, 1)):
        numbers = ('--images', str(images), '--seed', str(seed), '--persons', '1', '2')
        demo.run(
            f'Making {images} images of synthetic people',
            *('tools/make_synthetic.py', 'people', str(DATA / split), *numbers),
            *('--workers', '2', '--overwrite'),
        )


def main() -> None:
    """Run the demo."""
    tool_parser(__doc__).parse_args()
    demo = Workflow(CONFIG, WORK, {'SYNTHETIC_ROOT': str(DATA)})
    make_data(demo)
    checkpoint = demo.train('Training Lite-HRNet-18 from nothing')
    prefix = WORK / 'predictions'
    metrics = demo.evaluate(
        'Evaluating on images that training has not seen',
        checkpoint,
        *('--cfg-options', f'test_evaluator.outfile_prefix={prefix}'),
    )
    picture = WORK / 'poses.png'
    write_prediction_sheet(picture, DATA / 'val', f'{prefix}.keypoints.json')
    print(
        f'\nDone in {demo.minutes():.1f} minutes.\n'
        f'COCO AP on held-out synthetic images: {metrics["coco/AP"]:.3f}\n'
        f'Predicted poses: {picture}\n\n{COCO_COMMANDS}'
    )


if __name__ == '__main__':
    run_tool(main)
