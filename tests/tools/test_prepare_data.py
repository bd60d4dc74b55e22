"""The tools that prepare data sets, as a user runs them."""

import json
import shutil

import cv2
import numpy as np
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


def test_cityscapes_from_label_ids(call_tool, sample):
    """The frame gets a polygon, from which label maps are drawn otherwise."""
    ids = next(sample.rglob('*_labelIds.png'))
    height, width = cv2.imread(str(ids), cv2.IMREAD_UNCHANGED).shape
    corners = [[0, 0], [width, 0], [width, height], [0, height]]
    content = dict(imgHeight=height, imgWidth=width)
    content['objects'] = [dict(label='sky', polygon=corners)]
    polygons = ids.with_name(ids.name.replace('labelIds.png', 'polygons.json'))
    polygons.write_text(json.dumps(content))
    labels = ids.with_name(ids.name.replace('labelIds', 'labelTrainIds'))
    before = cv2.imread(str(labels), cv2.IMREAD_UNCHANGED)
    labels.unlink()
    assert call_tool('prepare_cityscapes.py', sample, '--jobs', 1).returncode == 0
    assert (cv2.imread(str(labels), cv2.IMREAD_UNCHANGED) == 10).all()
    done = call_tool('prepare_cityscapes.py', sample, '--jobs', 1, '--from-label-ids')
    assert 'label maps: 1 from label ids' in done.stdout
    after = cv2.imread(str(labels), cv2.IMREAD_UNCHANGED)
    assert (after == before).mean() > 0.99  # they differ in pixels along edges


@pytest.mark.parametrize('kind', ['camvid', 'cityscapes'])
def test_as_many_processes_as_asked_for(
    call_tool, original, sample, tmp_path, monkeypatch, kind
):
    asked = []

    def in_one_process(work, items, jobs, *_):
        asked.append(jobs)
        return map(work, items)

    name = f'litehrnet_mm.datasets.preparation.{kind}.in_processes'
    monkeypatch.setattr(name, in_one_process)
    folders = dict(camvid=(original, tmp_path / 'out'), cityscapes=(sample,))
    done = call_tool(f'prepare_{kind}.py', *folders[kind], '--jobs', 3)
    assert done.returncode == 0, done.stderr
    assert asked == [3]


FRAME = '0001TP_006690'


@pytest.fixture
def original(tmp_path):
    """A frame in the layout of the original CamVid; all of it is void."""
    for folder, name in (('701_StillsRaw_full', ''), ('LabeledApproved_full', '_L')):
        path = tmp_path / 'original' / folder / f'{FRAME}{name}.png'
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), np.zeros((720, 960, 3), np.uint8))
    return tmp_path / 'original'


def test_camvid_with_splits_and_colours_of_ones_own(call_tool, original, tmp_path):
    labels = original / f'LabeledApproved_full/{FRAME}_L.png'
    cv2.imwrite(str(labels), np.full((720, 960, 3), 1, np.uint8))
    out, lists = tmp_path / 'out', tmp_path / 'lists'
    lists.mkdir()
    for split in ('train', 'val', 'test'):
        (lists / f'{split}.txt').write_text(f'{FRAME}\n' if split == 'val' else '')
    command = ('prepare_camvid.py', original, out, '--jobs', 1, '--splits', lists)
    assert_one_line(call_tool(*command), '--unknown-as-void')
    done = call_tool(*command, '--unknown-as-void')
    assert done.returncode == 0, done.stderr
    made = cv2.imread(str(out / f'labels/val/{FRAME}.png'), cv2.IMREAD_UNCHANGED)
    assert (made == 11).all()


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
