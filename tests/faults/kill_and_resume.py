"""Kill training again and again, resume it, and compare it with a run left alone.

    python tests/faults/kill_and_resume.py --kills 20

Kills are SIGKILL: while it starts, at a step, while it evaluates, while it writes a
checkpoint, and between the names of a checkpoint and of ``last_checkpoint``, where such
a run is held for a second; in trainings that go by epochs and in ones that go by
iterations. But for those while it starts, a run has saved a checkpoint by then. After
each, every checkpoint in the work folder must be whole, and no more may be lost than
the work since the last one that the run had saved by its log. The next run must resume
from that of the most iterations. At the end the weights must be those of the run that
nothing happened to, bit for bit. Exit status 0 if all that holds.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

from runs import (
    BATCHES,
    CONFIG,
    INTERVAL,
    ROOT,
    STEP,
    assert_same,
    command,
    start,
    wait_for,
    write_people,
)

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import positive, tool_parser
from litehrnet_mm.engine.whole_files import LAST, PART, is_whole

MOMENTS = ('writing', 'evaluation', 'step', 'start', 'naming')
RESUMED = re.compile(r'resumed epoch: \d+, iter: (\d+)')
SAVING = re.compile(r'Saving checkpoint at (\d+) (epochs|iterations)')
GOES_ON = re.compile(r'(?:Epoch|Iter)\((?:train|val)\)')
VALIDATES = re.compile(r'\(val\).*\[1/2\]')
HELD = f"""\
_base_ = {str(ROOT / CONFIG)!r}
custom_imports = dict(imports=['litehrnet_mm', 'held_naming'])
"""
FINDS = dict(PYTHONPATH=os.pathsep.join([str(ROOT), str(Path(__file__).parent)]))


def kill_once(
    run: subprocess.Popen, work: Path, log: Path, moment: str, chance: random.Random
) -> bool:
    """Kill a run at such a moment; whether it had not ended by itself before."""
    before = {*work.glob('*.pth')}
    if moment == 'start':
        alive = wait_for(run, log, lambda: True)
        time.sleep(chance.uniform(0, 8))
    else:
        alive = wait_for(run, log, lambda: {*work.glob('*.pth')} - before)
        begun = len(log.read_text())
        seen = {
            'step': lambda: STEP.search(log.read_text(), begun),
            'evaluation': lambda: VALIDATES.search(log.read_text(), begun),
            'writing': lambda: any(work.glob(f'*.pth{PART}')),
            'naming': lambda: (work / f'{LAST}{PART}').exists(),
        }
        alive = alive and wait_for(run, log, seen[moment])
    if moment == 'step':
        time.sleep(chance.uniform(0, 1))
    run.send_signal(signal.SIGKILL)
    run.wait()
    return alive and run.returncode == -signal.SIGKILL


def check(work: Path, said: str) -> int:
    """See that all checkpoints are whole and no more is lost than may be.

    Args:
        work: The folder of a run that was killed.
        said: Its log.

    Returns:
        The iterations that the next run should go on from.
    """
    found = 0
    for path in work.glob('*.pth'):
        assert is_whole(path), f'{path} is damaged'
        found = max(found, read_checkpoint(str(path))['meta']['iter'])
    least = max([0, *map(int, RESUMED.findall(said)), *saved_by(said)])
    assert found >= least, f'{least} iterations were saved, and {found} are left'
    return found


def saved_by(said: str) -> list[int]:
    """The iterations of each checkpoint that a run had done with: it went on then."""
    return [
        int(save[1]) * (BATCHES if save[2] == 'epochs' else 1)
        for save in SAVING.finditer(said)
        if GOES_ON.search(said, save.end())
    ]


def is_unnamed(work: Path) -> bool:
    """Whether the newest checkpoint is not yet named as the last one."""
    newest = max(work.glob('*.pth'), key=lambda path: path.stat().st_mtime_ns)
    named = Path((work / LAST).read_text()) if (work / LAST).exists() else None
    return newest != named and (work / f'{LAST}{PART}').read_text() == str(newest)


def one_and_other(folder: Path, by_epoch: bool, kills: int, seed: int) -> Counter:
    """Train once alone, once with kills; how many there were of each kind.

    Raises:
        AssertionError: If anything is not as it must be.
    """
    chance, log = random.Random(seed), folder / 'log.txt'
    alone, work, people = (folder / name for name in ('alone', 'work', 'people'))
    write_people(people)
    length = (3 if by_epoch else 3 * INTERVAL) * (kills + 1)
    kind = dict(by_epoch=by_epoch, evaluate=True)
    unit = 'epochs' if by_epoch else 'iterations'
    print(f'{unit}: a run of {length} that is left alone', flush=True)
    run = start(command(people, alone, length, **kind), log)
    assert run.wait() == 0, log.read_text()
    words = command(people, work, length, '--resume', **kind)
    config = folder / 'held.py'
    config.write_text(HELD)
    held = [str(config) if word == CONFIG else word for word in words]
    moments = MOMENTS if by_epoch else MOMENTS[::-1]
    done: Counter = Counter()
    saved = 0
    for moment in islice(cycle(moments), kills):
        run = start(held if moment == 'naming' else words, log, env=FINDS)
        assert kill_once(run, work, log, moment, chance), log.read_text()
        check_resumed(log.read_text(), saved)
        done[moment] += 1
        saved = check(work, log.read_text())
        assert saved or moment == 'start', 'nothing was saved before'
        assert moment != 'naming' or is_unnamed(work), 'it was not between the names'
        print(f'{sum(done.values())}. {unit}, {moment}: {saved} left', flush=True)
    run = start(words, log)
    assert run.wait() == 0, log.read_text()
    check_resumed(log.read_text(), saved)
    last = f'{"epoch" if by_epoch else "iter"}_{length}.pth'
    assert_same(alone / last, work / last)
    return done


def check_resumed(said: str, saved: int) -> None:
    """See that a run, if it came so far, went on from what was saved."""
    if saved and STEP.search(said):
        assert RESUMED.findall(said) == [str(saved)], said


def main() -> None:
    """Run all."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('--kills', type=positive, default=20, help='default: %(default)s')
    add('--seed', type=int, default=0, help='of the moments; default: %(default)s')
    args = parser.parse_args()
    done: Counter = Counter()
    half = args.kills // 2
    for by_epoch, kills in ((True, args.kills - half), (False, half)):
        with tempfile.TemporaryDirectory() as name:
            done += one_and_other(Path(name), by_epoch, kills, args.seed)
    moments = ', '.join(f'{count} {moment}' for moment, count in done.items())
    print(
        f'{sum(done.values())} kills ({moments}): no checkpoint damaged, none lost, '
        'and the weights are bit for bit those of runs that were left alone'
    )


if __name__ == '__main__':
    main()
