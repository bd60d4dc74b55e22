"""What may happen to a run, and what is left of it then."""

import re
import subprocess
import sys
from pathlib import Path

import kill_and_resume
import pytest
import torch
from runs import ROOT, weights

from litehrnet_mm import writing
from litehrnet_mm.checkpoints.files import read_checkpoint
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.launch import train
from litehrnet_mm.engine.whole_files import PART, is_whole, newest_checkpoint

SCRIPT = Path(__file__).with_name('kill_and_resume.py')


def test_killed_runs_reach_the_same_weights():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--kills', '2'],
        capture_output=True,
        text=True,
        timeout=560,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'bit for bit those of runs that were left alone' in done.stdout


def test_only_what_a_run_had_done_with_counts_as_saved():
    """By its log: it may have been killed while it saved what it names last."""
    said = (
        'Epoch(train) [1][2/2]\nSaving checkpoint at 1 epochs\nEpoch(val) [1][1/2]\n'
        'Epoch(train) [2][2/2]\nSaving checkpoint at 2 epochs\n'
    )
    assert kill_and_resume.saved_by(said) == [2]
    assert kill_and_resume.saved_by(said + 'Epoch(val) [2][1/2]\n') == [2, 4]
    said = 'Saving checkpoint at 4 iterations\nIter(train) [5/8]\n'
    assert kill_and_resume.saved_by(said) == [4]


def test_a_loss_that_is_no_number_ends_the_run(prepare, watch, tmp_path):
    cfg = prepare(tmp_path, 4, by_epoch=False)
    cfg.default_hooks.checkpoint.interval = 1

    def spoil(runner, outputs, **given):
        if runner.iter == 2:
            outputs['loss'] = outputs['loss'] * float('nan')

    watch(cfg, 'after_train_iter', spoil)
    with pytest.raises(UserError, match='the loss is') as ended:
        train(cfg)
    said = str(ended.value)
    assert re.search(r'the loss is nan in iteration 3, with the images \d+, \d', said)
    last = tmp_path / 'iter_2.pth'
    assert f'last good checkpoint is {last}.' in said
    assert sorted(tmp_path.glob('*.pth*')) == [tmp_path / 'iter_1.pth', last]
    assert newest_checkpoint(tmp_path) == (last, [])


def test_a_rate_that_is_far_too_high_ends_the_run(prepare, tmp_path):
    cfg = prepare(tmp_path, 3)
    cfg.optim_wrapper.optimizer.lr = 1e30
    cfg.param_scheduler = []
    with pytest.raises(UserError, match='the last good checkpoint is none so far'):
        train(cfg)
    assert not [*tmp_path.glob('*.pth*')]


@pytest.mark.parametrize('by_epoch', [True, False])
def test_weights_that_are_no_numbers_are_not_saved(prepare, watch, tmp_path, by_epoch):
    """The last step before a checkpoint spoils them, after a loss that was sound."""
    cfg = prepare(tmp_path, 4, by_epoch=by_epoch)

    def spoil(runner, **given):
        if runner.iter == 3:
            list(runner.model.parameters())[-1].data[0] = float('nan')

    watch(cfg, 'after_train_iter', spoil)
    with pytest.raises(
        UserError, match=r'after iteration 4, 1 of \d+ weights'
    ) as ended:
        train(cfg)
    last = tmp_path / ('epoch_1.pth' if by_epoch else 'iter_2.pth')
    assert f'the last good checkpoint is {last}.' in str(ended.value)
    assert [*tmp_path.glob('*.pth*')] == [last]
    assert newest_checkpoint(tmp_path) == (last, [])
    assert all(value.isfinite().all() for value in weights(last).values())


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


def test_the_newest_has_the_most_iterations(tmp_path):
    done = {'epoch_1': 100, 'epoch_2': 200, 'iter_150': 150, 'iter_90': 90}
    for name, number in done.items():
        content = dict(state_dict=dict(w=torch.rand(3)), meta=dict(iter=number))
        torch.save(content, tmp_path / f'{name}.pth')
    for name in ('epoch_2', 'iter_150', 'epoch_1', 'iter_90'):
        assert newest_checkpoint(tmp_path) == (tmp_path / f'{name}.pth', [])
        (tmp_path / f'{name}.pth').unlink()


def test_killed_between_the_two_names(prepare, resume, monkeypatch, tmp_path):
    """A checkpoint has its name, and is not yet named as the last."""
    cfg, replace = prepare(tmp_path, 3), writing.os.replace

    def killed(source, target):
        replace(source, target)
        if Path(target).name == 'epoch_2.pth':
            raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    monkeypatch.undo()
    assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    assert newest_checkpoint(tmp_path) == (tmp_path / 'epoch_2.pth', [])
    monkeypatch.chdir(ROOT)
    resume(prepare(tmp_path, 3))
    assert read_checkpoint(str(tmp_path / 'epoch_3.pth'))['meta']['iter'] == 6
    assert not [*tmp_path.glob(f'*{PART}')]


def test_nothing_whole_is_left_to_resume_from(prepare, resume, tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'PK')
    with pytest.raises(UserError, match=r'no checkpoint of .* is whole'):
        resume(prepare(tmp_path, 1))
    assert [path.name for path in tmp_path.iterdir()] == ['epoch_1.pth']
