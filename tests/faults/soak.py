"""Train for long, with evaluations and checkpoints, and see that memory stays flat.

    python tests/faults/soak.py --steps 3000

Counted is what all processes of the run hold of their own or share among themselves
(Linux's proportional set size, without the files of libraries, of which each process
of the machine that maps them is given its share, and more if another one ends).
After a warm-up of a sixth, the median over each further sixth of the steps must be
within 2 percent of the first one's. Exit status 0 if it is.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from runs import command, start, write_people

from litehrnet_mm.cli import positive, progress_bar, tool_parser

IMAGES, PARTS = 20, 6
EPOCH = IMAGES // 2
LEAST = 300
STEP = re.compile(r'Epoch\(train\) +\[(\d+)\]\[ *(\d+)/')
SIZE = re.compile(r'^Pss_(?:Anon|Shmem): +(\d+) kB', re.M)

Samples = Sequence[tuple[int, float]]


def family(pid: int) -> list[int]:
    """The numbers of a process and of all that it started."""
    found = [pid]
    for listed in Path(f'/proc/{pid}/task').glob('*/children'):
        for child in listed.read_text().split():
            found += family(int(child))
    return found


def memory(pid: int) -> float | None:
    """What a process and all that it started hold, in MB; nothing if they end."""
    try:
        texts = [Path(f'/proc/{p}/smaps_rollup').read_text() for p in family(pid)]
    except OSError:
        return None
    return (
        sum(int(size) for text in texts for size in SIZE.findall(text)) / 1024 or None
    )


def watch(run: subprocess.Popen, log: Path, steps: int) -> list[tuple[int, float]]:
    """Look at a run until it ends: steps done, and MB held then."""
    samples: list[tuple[int, float]] = []
    bar = iter(progress_bar(range(steps), steps, title='Training'))
    shown = 0
    while run.poll() is None:
        epoch, step = (STEP.findall(log.read_text()) or [(1, 0)])[-1]
        done = (int(epoch) - 1) * EPOCH + int(step)
        held = memory(run.pid)
        if done and held:
            samples.append((done, held))
        for _ in range(done - shown):
            next(bar, None)
        shown = max(shown, done)
        time.sleep(0.5)
    return samples


def medians(samples: Samples, steps: int) -> list[float]:
    """Over each part of the steps but the first, the median of what was held, in MB."""
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for done, held in samples:
        parts[min(done * PARTS // steps, PARTS - 1)].append(held)
    return [statistics.median(part) for part in parts[1:]]


def growth(found: Sequence[float]) -> float:
    """The greatest difference from the first, in percent of it."""
    return max(abs(x / found[0] - 1) for x in found) * 100


def soak(folder: Path, steps: int) -> list[float]:
    """Train, and return :func:`medians`.

    Raises:
        AssertionError: If training does not end well.
    """
    epochs = steps // EPOCH
    write_people(folder / 'people', IMAGES)
    words = command(folder / 'people', folder / 'work', epochs, evaluate=True)
    words += [
        *('train_dataloader.num_workers=1', 'train_dataloader.persistent_workers=True'),
        *('val_dataloader.num_workers=1', 'val_dataloader.persistent_workers=True'),
        f'train_cfg.val_interval={max(epochs // 30, 1)}',
    ]
    log = folder / 'log.txt'
    run = start(words, log)
    samples = watch(run, log, steps)
    assert run.returncode == 0, log.read_text()
    return medians(samples, steps)


def main() -> None:
    """Train and judge."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        '--steps', type=positive, default=3000, help='default: %(default)s'
    )
    args = parser.parse_args()
    if args.steps < LEAST:
        parser.error(f'--steps must be at least {LEAST}: fewer are all warm-up')
    with tempfile.TemporaryDirectory() as name:
        found = soak(Path(name), args.steps)
    percent = growth(found)
    held = ', '.join(f'{x:.0f}' for x in found)
    print(f'{args.steps} steps: {held} MB, at most {percent:.1f} % from the first')
    sys.exit(percent > 2)


if __name__ == '__main__':
    main()
