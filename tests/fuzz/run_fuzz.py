"""Read thousands of broken and hostile files with every reader of the project.

    python tests/fuzz/run_fuzz.py --inputs 12000

What may be accepted is said in fuzz_targets.py. Exit status 0 if there is no fault.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for made_up.py

from fuzz_targets import TARGETS
from hostile_pickles import MARKER
from isolation import Input, Outcome
from target import Target

from litehrnet_mm.analysis.tables import text_table
from litehrnet_mm.cli import positive, progress_bar, tool_parser

HEADER = ('target', 'inputs', 'refused', 'accepted', 'CPU s', 'peak MB', 'faults')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add(
        '--inputs',
        type=positive,
        default=12_000,
        metavar='N',
        help='for all targets together (default: %(default)s)',
    )
    add('--seed', type=int, default=0, help='of the changes (default: %(default)s)')
    add(
        '--target',
        choices=[target.name for target in TARGETS],
        metavar='NAME',
        help='this one alone: %(choices)s (default: all)',
    )
    add(
        '--out',
        type=Path,
        default=Path('work_dirs/fuzz'),
        metavar='DIR',
        help='folder for inputs that end in a fault (default: %(default)s)',
    )
    return parser.parse_args()


def keep(folder: Path, item: Input, outcome: Outcome) -> None:
    """Save an input that ended in a fault, and what it was."""
    for name, content in item.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    text = f'{item.kind}\n{outcome.state}: {outcome.text}\n'
    (folder / 'fault.txt').write_text(text, encoding='utf-8')


def fuzz(target: Target, count: int, seed: int, out: Path) -> list[Outcome]:
    """Read so many inputs; what came of each."""
    inputs = target.inputs(count, seed)
    outcomes = []
    found = progress_bar(target.run(inputs), count, title=target.name)
    for number, outcome in enumerate(found):
        outcomes.append(outcome)
        if outcome.is_fault:
            name = f'{target.name.replace(" ", "_")}_{seed}_{number}'
            keep(out / name, inputs[number], outcome)
            kind = inputs[number].kind
            print(f'{out / name}: {kind}: {outcome.state}: {outcome.text}', flush=True)
    return outcomes


def row(name: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    """A line of the table."""
    states = [outcome.state for outcome in outcomes]
    return (
        name,
        str(len(outcomes)),
        str(states.count('refused')),
        str(states.count('accepted')),
        f'{max(x.seconds for x in outcomes):.2f}',
        f'{max(x.megabytes for x in outcomes):.0f}',
        str(sum(x.is_fault for x in outcomes)),
    )


def main() -> None:
    """Run all."""
    args = parse_args()
    MARKER.unlink(missing_ok=True)
    chosen = [x for x in TARGETS if x.usable and args.target in (None, x.name)]
    for target in TARGETS:
        if not target.usable:
            print(f'{target.name}: left out, needs the real data')
    rows, everything = [], []
    for target in chosen:
        outcomes = fuzz(target, -(-args.inputs // len(chosen)), args.seed, args.out)
        rows.append(row(target.name, outcomes))
        everything += outcomes
    rows.append(row('all', everything))
    print(text_table([HEADER, *rows], '<>>>>>>'))
    faults = sum(outcome.is_fault for outcome in everything)
    if MARKER.exists():
        print(f'{MARKER} is there: an input ran code')
    sys.exit(1 if faults or MARKER.exists() else 0)


if __name__ == '__main__':
    main()
