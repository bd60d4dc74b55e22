"""The tools that prepare data sets, as a user runs them."""

import shutil

import pytest
from running import assert_one_line


@pytest.fixture
def sample(shared_data, tmp_path):
    root = tmp_path / 'cityscapes'
    shutil.copytree(
        shared_data / 'cityscapes_sample', root, copy_function=shutil.copyfile
    )
    return root


def test_cityscapes_that_is_a_part(call_tool, sample):
    next(sample.rglob('*labelTrainIds.png')).unlink()
    done = call_tool('prepare_cityscapes.py', sample, '--jobs', 1)
    assert done.returncode == 0, done.stderr
    assert 'label maps: 1 from label ids' in done.stdout
    assert '1 images, 1 labelled (whole set: 500)' in done.stdout
    assert 'This is not the whole set: train, val, test short.' in done.stdout
    assert '1/1' in done.stderr  # the progress bar


def test_cityscapes_that_cannot_be_used(call_tool, sample, tmp_path):
    next(sample.rglob('*labelIds.png')).write_bytes(b'x')
    next(sample.rglob('*labelTrainIds.png')).unlink()
    done = call_tool('prepare_cityscapes.py', sample, '--jobs', 1)
    assert_one_line(done, 'frankfurt_000000_000294_gtFine_labelIds.png')
    assert 'failed: ' in done.stdout
    done = call_tool('prepare_cityscapes.py', tmp_path / 'nowhere')
    assert_one_line(done, 'neither leftImg8bit/', 'https://')
    done = call_tool('prepare_cityscapes.py', sample, '--jobs', 0)
    assert done.returncode == 2
    assert 'argument --jobs: must be a whole number of at least 1, got 0' in done.stderr


def test_camvid(call_tool, shared_data, tmp_path):
    source, out = tmp_path / 'CamVid', tmp_path / 'out'
    for kind, folder in (('images', 'val'), ('labels', 'valannot')):
        shutil.copytree(shared_data / f'camvid_mini/{kind}/val', source / folder)
    (source / 'trainannot').mkdir()
    done = call_tool('prepare_camvid.py', source, out, '--jobs', 1)
    assert done.returncode == 0, done.stderr
    assert "taken for SegNet's copy" in done.stdout
    assert 'frames: 30 made' in done.stdout
    assert '30 images, 30 labelled (whole set: 101)' in done.stdout
    assert len(list(out.rglob('*.png'))) == 60
    done = call_tool('prepare_camvid.py', tmp_path / 'nowhere', out)
    assert_one_line(done, 'nowhere is no CamVid', 'LabeledApproved_full.zip')
