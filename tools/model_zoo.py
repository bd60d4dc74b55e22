"""Write docs/model_zoo.md from model-index.yml and the metafiles that it names."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path

from litehrnet_mm.analysis.complexity_config import measure_config
from litehrnet_mm.analysis.zoo import Zoo, load_zoo, write_counts
from litehrnet_mm.analysis.zoo_page import PAGE, zoo_page
from litehrnet_mm.cli import UserError, progress_bar, run_tool, tool_parser

ROOT = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = tool_parser(__doc__)
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        '--check',
        action='store_true',
        help='write nothing; exit with status 1 if the page is not up to date',
    )
    modes.add_argument(
        '--measure',
        action='store_true',
        help='first count parameters and MACs of every config anew, and write them '
        'into the metafiles',
    )
    return parser.parse_args()


def measure_all(zoo: Zoo) -> None:
    """Count what every config costs, and write the numbers into the metafiles."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    # Loggers of others write to standard output, which is for the result alone.
    with redirect_stdout(sys.stderr):
        for entry in progress_bar(zoo.entries, len(zoo.entries)):
            found = measure_config(str(ROOT / entry.config), entry.input_size)
            numbers = (found.parameters, found.macs_once)
            counts.setdefault(entry.metafile, {})[entry.name] = numbers
    for metafile, numbers in counts.items():
        changed = write_counts(ROOT / metafile, numbers)
        print(f'{metafile}: {"written" if changed else "as before"}')


def main() -> None:
    """Write or check the page."""
    args = parse_args()
    zoo = load_zoo(ROOT)
    if args.measure:
        measure_all(zoo)
        zoo = load_zoo(ROOT)
    text, page = zoo_page(zoo), ROOT / PAGE
    current = page.read_text(encoding='utf-8') if page.is_file() else None
    if args.check and text != current:
        print(f'{PAGE} is not up to date: run tools/model_zoo.py', file=sys.stderr)
        sys.exit(1)
    if not args.check:
        try:
            page.write_text(text, encoding='utf-8')
        except OSError as error:
            raise UserError(f'{page} cannot be written: {error.strerror}') from error
        print(f'{PAGE}: {"written" if text != current else "as before"}')


if __name__ == '__main__':
    run_tool(main)
