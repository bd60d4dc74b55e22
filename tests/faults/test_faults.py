"""What may happen to a run, and what is left of it then."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kill_and_resume import CONFIG, STEP, command, start, wait_for
from mmengine.config import Config
from running import configure, forget_runs

from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.datasets import make_people
from litehrnet_mm.engine import whole_files
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.whole_files import PART, is_whole, newest_checkpoint

SCRIPT = Path(__file__).with_name('kill_and_resume.py')


@pytest.fixture(scope='module')
def people(tmp_path_factory) -> Path:
    """Four images with a person each."""
    root = tmp_path_factory.mktemp('people')
    make_people(root / 'train', 4, seed=0, persons=(1, 1))
    return root


def prepare(people, work, epochs: int) -> Config:
    """The config of a run in this process, two iterations an epoch."""
    words = command(people, work, epochs)
    options = words[words.index('--cfg-options') + 1 :]
    cfg = configure(Path(CONFIG), work, *options, 'randomness.deterministic=False')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cfg


def test_killed_runs_reach_the_same_weights():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--kills', '2'],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'bit for bit those of a run that was left alone' in done.stdout


def test_sigterm_saves_and_the_epoch_goes_on(people, tmp_path):
    log, work = tmp_path / 'log.txt', tmp_path / 'work'
    words = command(people, work, 400)
    run = start(words, log)
    assert wait_for(run, log, lambda: len(STEP.findall(log.read_text())) > 4)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=30) == 0, log.read_text()
    (name,) = re.findall(r'SIGTERM: saved (iter_\d+\.pth)', log.read_text())
    newest, _ = newest_checkpoint(work)
    assert newest == work / name
    meta = read_checkpoint(str(newest))['meta']
    assert meta['iter'] == int(name[5:-4]) < 800
    assert meta['epoch'] == (meta['iter'] - 1) // 2 or meta['iter'] % 2
    epochs = meta['epoch'] + 2
    run = start(command(people, work, epochs, '--resume'), log)
    assert run.wait(timeout=120) == 0, log.read_text()
    # The rest of the epoch, and no image of it twice.
    assert (
        read_checkpoint(str(work / f'epoch_{epochs}.pth'))['meta']['iter'] == 2 * epochs
    )


@pytest.fixture
def full_disk(monkeypatch):
    """From the third checkpoint on there is no space left."""
    written = []
    replace = whole_files.os.replace

    def refuse(source, target):
        written.append(Path(target).name)
        if len([name for name in written if name.endswith('.pth')]) > 2:
            raise OSError(28, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(whole_files.os, 'replace', refuse)


def test_a_full_disk_leaves_the_older_checkpoints(
    repository, people, tmp_path, full_disk, monkeypatch
):
    monkeypatch.chdir(repository)
    cfg = prepare(people, tmp_path, 4)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    train(cfg)
    forget_runs()
    assert [path.name for path in tmp_path.glob('*.pth*')] == ['epoch_2.pth']
    assert newest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_2.pth'
    (log,) = tmp_path.glob('*/*.log')
    said = re.findall(
        r'epoch_\d\.pth could not be saved: No space left', log.read_text()
    )
    assert len(said) == 2
    assert f'the newest whole checkpoint is {tmp_path}/epoch_2.pth' in log.read_text()


def test_a_loss_that_is_no_number_ends_the_run(
    repository, people, tmp_path, monkeypatch
):
    monkeypatch.chdir(repository)
    cfg = prepare(people, tmp_path, 3)
    cfg.optim_wrapper.optimizer.lr = 1e30
    cfg.param_scheduler = []
    with pytest.raises(Exception, match='the loss is') as ended:
        train(cfg)
    forget_runs()
    said = str(ended.value)
    assert re.search(
        r'the loss is (nan|inf) in iteration \d, with the images \d+, \d', said
    )
    last = newest_checkpoint(tmp_path)[0]
    assert f'last good checkpoint is {last or "none so far"}' in said
    for path in tmp_path.glob('*.pth'):
        assert is_whole(path)


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    for number in (1, 2, 10):
        weights = dict(w=torch.rand(5000))
        torch.save(dict(state_dict=weights), tmp_path / f'epoch_{number}.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_10.pth'))
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_10.pth', [])
    content = (tmp_path / 'epoch_10.pth').read_bytes()
    (tmp_path / 'epoch_10.pth').write_bytes(content[:-20])
    found = newest_checkpoint(tmp_path)
    assert found == (tmp_path / 'epoch_2.pth', [tmp_path / 'epoch_10.pth'])
    (tmp_path / f'epoch_11.pth{PART}').write_bytes(content)
    assert newest_checkpoint(tmp_path) == found
    flipped = bytearray((tmp_path / 'epoch_2.pth').read_bytes())
    flipped[len(flipped) // 2] ^= 255
    (tmp_path / 'epoch_2.pth').write_bytes(flipped)
    assert newest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_1.pth'
    (tmp_path / 'last_checkpoint').write_bytes(b'\xff\xfe')
    assert newest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_1.pth'
    assert newest_checkpoint(tmp_path / 'none') == (None, [])


@pytest.mark.parametrize('name', ['/x/' + 'y' * 5000, 'y' * 300, 'a\0b', '', '..'])
def test_a_damaged_name_of_the_last_checkpoint(tmp_path, name):
    torch.save(dict(state_dict=dict(w=torch.rand(3))), tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text(name)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_1.pth', [])


def test_an_archive_that_says_it_is_packed_is_not_whole(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=dict(w=torch.rand(3))), path)
    content = bytearray(path.read_bytes())
    content[content.index(b'PK\1\2') + 10] = 8  # deflated, says the directory
    path.write_bytes(content)
    assert not is_whole(path)
