"""Convert foreign weights to a checkpoint that this project and MMPose load.

What the checkpoint has to hold is the state dict of its model: that of --config, or the
Lite-HRNet that --arch names, or else the one that the weights are of. Anything missing,
unexpected or of another shape is listed and refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from litehrnet_mm.checkpoints.compare import report
from litehrnet_mm.checkpoints.convert import SOURCES, converted, read_foreign
from litehrnet_mm.checkpoints.targets import arch_target, config_target, recognise
from litehrnet_mm.checkpoints.writer import check_output, save_checkpoint
from litehrnet_mm.cli import run_tool, tool_parser
from litehrnet_mm.models.arch import ARCHS


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    sources = {name: source.help for name, source in SOURCES.items()}
    sources['auto'] = 'tell by the content, and say what it was taken for'
    lines = '\n'.join(f'  {name:12} {text}' for name, text in sources.items())
    parser = tool_parser(__doc__, epilog=f'SOURCE is one of\n{lines}')
    add = parser.add_argument
    add('source', metavar='SOURCE', choices=sources, help='where the weights are from')
    add('input', metavar='IN', type=Path, help='the file to convert')
    add(
        'out',
        type=Path,
        metavar='OUT.pth',
        help='checkpoint to write, in a folder that exists',
    )
    model = parser.add_mutually_exclusive_group()
    model.add_argument('--config', help='config whose model the checkpoint is for')
    model.add_argument(
        '--arch',
        choices=ARCHS,
        metavar='ARCH',
        help=f'Lite-HRNet that the checkpoint is for: {", ".join(ARCHS)}',
    )
    add(
        '--allow-partial',
        action='store_true',
        help='write what fits, and say in the checkpoint what was left out',
    )
    add('--list-all', action='store_true', help='list every difference, not 20 of each')
    add('--force', action='store_true', help='replace OUT.pth if it exists')
    return parser.parse_args()


def main() -> None:
    """Convert, write, and say what was written."""
    args = parse_args()
    check_output(args.out, (args.input,), args.force)
    foreign = read_foreign(args.source, args.input)
    if args.source == 'auto':
        print(f'{args.input}: taken for {foreign.source}')
    if args.config:
        target = config_target(args.config)
    elif args.arch:
        target = arch_target(args.arch, foreign.weights)
    else:
        target = recognise(foreign.weights)
    differences = target.differences(foreign.weights)
    hint = '--config CONFIG names its model, --allow-partial writes what fits'
    report(
        args.input, differences, target.name, args.allow_partial, args.list_all, hint
    )
    state_dict, meta = converted(foreign, target, differences)
    save_checkpoint(args.out, state_dict, meta)
    layers = sum(weight.dim() == 4 for weight in state_dict.values())
    parameters = sum(
        value.numel()
        for key, value in state_dict.items()
        if key.endswith(('.weight', '.bias'))
    )
    print(f'{args.out}: {layers} convolutions, {parameters:,} parameters')
    licence = f' ({meta["license"]})' if 'license' in meta else ''
    print(f'from {meta["source"]}{licence}, for {target.name}')
    if foreign.dropped:
        print(f'not taken over: {", ".join(foreign.dropped)}')
    if differences:
        print(f'left out: {differences.summary()}; all in meta["left_out"]')


if __name__ == '__main__':
    run_tool(main)
