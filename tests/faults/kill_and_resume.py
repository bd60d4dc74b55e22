"""Kill training again and again, resume it, and compare it with a run left alone.

    python tests/faults/kill_and_resume.py --kills 20

After each SIGKILL every checkpoint in the work folder must be whole, and the newest one
must be what the next run resumes from. At the end the weights must be those of the run
that nothing happened to, bit for bit. Exit status 0 if all that holds.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import litehrnet_mm  # noqa: F401  before the types in checkpoints: see compat.py
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import tool_parser
from litehrnet_mm.datasets import make_people
from litehrnet_mm.engine.whole_files import PART, is_whole, newest_checkpoint

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
STEP = re.compile(r'Epoch\(train\)')
RESUMED = re.compile(r'resumed epoch: (\d+), iter: (\d+)')


def command(data: Path, work: Path, epochs: int, *more: str) -> list[str]:
    """Training on few small images, a checkpoint after each epoch."""
    return [
        *(sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(work)),
        *('--no-validate', *more, '--cfg-options'),
        f'train_dataloader.dataset.data_root={data}/',
        *('train_dataloader.num_workers=0', 'train_dataloader.batch_size=2'),
        'train_dataloader.persistent_workers=False',
        *(f'train_cfg.max_epochs={epochs}', 'default_hooks.logger.interval=1'),
        'default_hooks.checkpoint.max_keep_ckpts=2',
        *('randomness.seed=7', 'randomness.deterministic=True'),
    ]


def start(words: list[str], log: Path) -> subprocess.Popen:
    """Start a run; its output goes into the log, which is emptied."""
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    with log.open('w') as out:
        return subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out, env=env)


def wait_for(run: subprocess.Popen, log: Path, found, limit: float = 300) -> bool:
    """Wait until ``found()``; whether that was before the run ended."""
    end = time.monotonic() + limit
    while run.poll() is None:
        if found():
            return True
        if time.monotonic() > end:
            run.kill()
            raise SystemExit(f'nothing happened in {limit} s:\n{log.read_text()}')
        time.sleep(0.002)
    return False


def kill_once(run: subprocess.Popen, work: Path, log: Path, chance: random.Random):
    """Kill a run at a random moment, every other time while it writes a checkpoint.

    Returns:
        Whether it was killed, and whether a file was half written then.
    """
    if not wait_for(run, log, lambda: STEP.search(log.read_text())):
        return False, False
    if chance.random() < 0.5:
        alive = wait_for(run, log, lambda: any(work.glob(f'*{PART}')))
    else:
        alive = wait_for(run, log, lambda: True)
        time.sleep(chance.uniform(0, 1))
    run.send_signal(signal.SIGKILL)
    run.wait()
    killed = alive and run.returncode == -signal.SIGKILL
    return killed, any(work.glob(f'*{PART}'))


def check(work: Path, log: Path, had: tuple[int, int]) -> tuple[int, int]:
    """See that all checkpoints are whole, and none older than before is the newest."""
    for path in work.glob('*.pth'):
        assert is_whole(path), f'{path} is damaged'
    newest, damaged = newest_checkpoint(work)
    assert not damaged
    if newest is None:
        return had
    meta = read_checkpoint(str(newest))['meta']
    found = meta['epoch'], meta['iter']
    assert found >= had, f'{newest} has {found}, and there was {had} already'
    return found


def main() -> None:
    """Run all."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('--kills', type=int, default=20, help='default: %(default)s')
    add('--epochs', type=int, help='default: four for each kill')
    add('--seed', type=int, default=0, help='of the moments; default: %(default)s')
    args = parser.parse_args()
    epochs = args.epochs or 4 * args.kills
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_people(folder / 'data/train', 4, seed=0, persons=(1, 1))
        alone, work, log = folder / 'alone', folder / 'work', folder / 'log.txt'
        words = command(folder / 'data', alone, epochs)
        assert start(words, log).wait() == 0, log.read_text()
        kills = writing = 0
        had = (0, 0)
        words = command(folder / 'data', work, epochs, '--resume')
        while True:
            run = start(words, log)
            if kills == args.kills:
                assert run.wait() == 0, log.read_text()
                break
            killed, half = kill_once(run, work, log, chance)
            resumed = RESUMED.search(log.read_text())
            if resumed:
                assert tuple(map(int, resumed.groups())) == had, resumed[0]
            if not killed:
                assert run.returncode == 0, log.read_text()
                break
            kills, writing = kills + 1, writing + half
            had = check(work, log, had)
            print(f'kill {kills}: checkpoint of epoch, iteration {had}', flush=True)
        one, other = (
            read_checkpoint(str(newest_checkpoint(x)[0])) for x in (alone, work)
        )
        assert one['meta']['epoch'] == other['meta']['epoch'] == epochs
        for key, value in one['state_dict'].items():
            assert torch.equal(value, other['state_dict'][key]), key
        print(
            f'{kills} kills, {writing} of them with a checkpoint half written: none '
            f'damaged, and the weights after {epochs} epochs are bit for bit those '
            'of a run that was left alone'
        )
        assert kills == args.kills, 'the run ended before all kills: more --epochs'


if __name__ == '__main__':
    main()
