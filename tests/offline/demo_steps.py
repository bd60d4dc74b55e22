"""The demos' own steps, shortened; then what each trained is used and exported.

Run in a folder with ``tools/`` and ``configs/`` in it. All in one process, since each
would import PyTorch and OpenMMLab again.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from running import forget_runs

from litehrnet_mm.runtime.model import open_backend
from litehrnet_mm.workflow import Workflow

SHORT = {
    'demo': ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=4'],
    'demo_seg': ['train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2'],
}
IMAGES = '4'


def call(script: str, *words: object) -> None:
    """Run a tool as a command would."""
    sys.argv = [script, *map(str, words)]
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as ended:
        if ended.code:
            raise
    forget_runs()


def call_shortened(flow: Workflow, title: str, script: str, *words: str) -> None:
    """Take the place of ``Workflow.run``."""
    os.environ.update(flow.env)
    words = list(words)
    if '--images' in words:
        words[words.index('--images') + 1] = IMAGES
    if script == 'tools/train.py':
        words += ['--cfg-options', *SHORT[Path(flow.work).name]]
    call(script, *words)


def walk_through(name: str) -> None:
    """Run a demo, then predict with its network and with that as ONNX."""
    sys.argv = [name]
    demo = runpy.run_path(f'tools/{name}.py', run_name=name)
    demo['main']()
    checkpoint = (demo['WORK'] / 'last_checkpoint').read_text().strip()
    picture = max(demo['DATA'].rglob('val/**/*.[jp][pn]g'))
    net, onnx = (demo['CONFIG'], checkpoint), f'{name}.onnx'
    call('tools/predict.py', *net, picture, '--out', f'{name}_predicted')
    call('tools/export_onnx.py', *net, onnx)
    call('tools/predict.py', onnx, picture, '--out', f'{name}_predicted_by_onnx')
    open_backend(onnx, 'openvino')


if __name__ == '__main__':
    Workflow.run = call_shortened
    for demo in SHORT:
        walk_through(demo)
