"""Convert published weights to a checkpoint that this project and MMPose load."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from litehrnet_mm.checkpoints import pp_tinypose
from litehrnet_mm.checkpoints.writer import check_output, save_checkpoint
from litehrnet_mm.cli import run_tool


@dataclass(frozen=True)
class Source:
    """One kind of published weights.

    Attributes:
        help: One line for ``--help``.
        inputs: Names of the files to give, in order.
        convert: From those files to the state dict.
        meta: What the checkpoint is to say about itself.
    """

    help: str
    inputs: tuple[str, ...]
    convert: Callable[..., dict[str, Tensor]]
    meta: Mapping[str, Any]


SOURCES = {
    'pp-tinypose': Source(
        help='PP-TinyPose as ncnn files: wider naive Lite-HRNet-18, 17 keypoints',
        inputs=('FILE.param', 'FILE.bin'),
        convert=pp_tinypose.convert_pp_tinypose,
        meta=pp_tinypose.META,
    ),
}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='source', metavar='SOURCE', required=True)
    for name, source in SOURCES.items():
        command = commands.add_parser(name, help=source.help, description=source.help)
        for position, metavar in enumerate(source.inputs):
            command.add_argument(f'input{position}', type=Path, metavar=metavar)
        command.add_argument(
            'out',
            type=Path,
            metavar='OUT.pth',
            help='checkpoint to write, in a folder that exists',
        )
        command.add_argument(
            '--force', action='store_true', help='replace OUT.pth if it exists'
        )
    return parser.parse_args()


def main() -> None:
    """Convert, write, and say what was written."""
    args = parse_args()
    source = SOURCES[args.source]
    inputs = tuple(getattr(args, f'input{i}') for i in range(len(source.inputs)))
    check_output(args.out, inputs, args.force)
    state_dict = source.convert(*inputs)
    digests = {path.name: _sha256(path) for path in inputs}
    save_checkpoint(args.out, state_dict, dict(source.meta, source_sha256=digests))
    layers = sum(weight.dim() == 4 for weight in state_dict.values())
    parameters = sum(
        value.numel()
        for key, value in state_dict.items()
        if key.endswith(('.weight', '.bias'))
    )
    print(f'{args.out}: {layers} convolutions, {parameters:,} parameters')
    print(f'from {source.meta["source"]} ({source.meta["license"]})')


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == '__main__':
    run_tool(main)
