"""``tools/test.py`` with a segmentation config, on a real street scene."""

import json
import pickle

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from running import assert_one_line
from seg_data import LABEL_IDS

from litehrnet_mm.engine.building import build_model

PLAIN = 'configs/seg/cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'
SERVER = PLAIN.replace('.py', '_test-server.py')
CAMVID = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'
NAME = 'frankfurt_000000_000294_leftImg8bit.png'

pytestmark = pytest.mark.usefixtures('seg_data')


@pytest.fixture(scope='module')
def checkpoints(seg_roots, repository, tmp_path_factory):
    """Fresh networks, which predict this and that."""
    folder = tmp_path_factory.mktemp('weights')
    paths = {}
    for config in (PLAIN, CAMVID):
        cfg = Config.fromfile(repository / config)
        torch.manual_seed(0)
        model = build_model(cfg, config)
        for module in model.modules():  # so that outputs differ from place to place
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
        paths[config] = folder / f'{len(paths)}.pth'
        torch.save(dict(state_dict=model.state_dict()), paths[config])
    return paths


def evaluate(call_tool, config, checkpoint, tmp_path, *options):
    """Run the test, on one process; what the tool said."""
    small = ['test_dataloader.dataset.pipeline.1.scale="(384,192)"']
    settings = ['test_dataloader.num_workers=0', *(small if config != CAMVID else ())]
    settings += ['test_dataloader.persistent_workers=False']
    done = call_tool(
        'test.py', config, checkpoint, '--work-dir', tmp_path / 'work', *options,
        '--cfg-options', *settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize('config', [PLAIN, SERVER])
def test_label_maps_are_those_of_the_test_server(
    call_tool, checkpoints, seg_data, tmp_path, config
):
    out, dump = tmp_path / 'out', tmp_path / 'dump.pkl'
    evaluate(
        call_tool, config, checkpoints[PLAIN], tmp_path, '--out', out, '--dump', dump
    )
    assert [path.name for path in out.iterdir()] == [NAME]
    image = Image.open(
        seg_data['CITYSCAPES_ROOT'] / f'leftImg8bit/val/frankfurt/{NAME}'
    )
    found = np.asarray(Image.open(out / NAME))
    assert found.dtype == np.uint8
    assert found.shape == (image.height, image.width)
    (sample,) = pickle.loads(dump.read_bytes())
    predicted = np.asarray(sample['pred_sem_seg']['data'])[0]
    assert len(np.unique(predicted)) > 5
    np.testing.assert_array_equal(found, np.array(LABEL_IDS)[predicted])


def test_label_maps_of_other_data_have_the_number_of_the_class(
    call_tool, checkpoints, tmp_path
):
    out, metrics = tmp_path / 'out', tmp_path / 'metrics.json'
    done = evaluate(
        call_tool, CAMVID, checkpoints[CAMVID], tmp_path, '--out', out,
        '--metrics', metrics,
    )  # fmt: skip
    found = [np.asarray(Image.open(path)) for path in out.iterdir()]
    assert [image.shape for image in found] == [(360, 480)] * 2
    assert set(np.unique(found)) <= set(range(11))
    assert set(json.loads(metrics.read_text())) == {'aAcc', 'mIoU', 'mAcc'}
    for name in ('sky', 'bicyclist'):  # the table of each class
        assert f' {name} ' in done.stdout + done.stderr


def test_test_time_augmentation_averages_over_scales_and_flips(
    call_tool, checkpoints, tmp_path
):
    plain, augmented = tmp_path / 'plain.json', tmp_path / 'augmented.json'
    for out, options in ((plain, ()), (augmented, ('--tta',))):
        evaluate(
            call_tool, CAMVID, checkpoints[CAMVID], tmp_path, '--metrics', out, *options
        )
    one, other = (json.loads(path.read_text()) for path in (plain, augmented))
    assert one.keys() == other.keys()
    assert one != other


def test_overlays_are_drawn_for_each_image(call_tool, checkpoints, tmp_path):
    pictures = tmp_path / 'pictures'
    evaluate(call_tool, CAMVID, checkpoints[CAMVID], tmp_path, '--show-dir', pictures)
    drawn = sorted(pictures.rglob('*.png'))
    assert len(drawn) == 2
    for path in drawn:
        image = cv2.imread(str(path))
        assert image.shape == (360, 2 * 480, 3)  # ground truth, prediction
        left, right = image[:, :480].astype(int), image[:, 480:].astype(int)
        assert np.abs(left - right).mean() > 10


@pytest.mark.parametrize('folder', ['images/val', 'labels/val', 'images/val/new'])
def test_images_and_masks_are_never_written_over(
    call_tool, checkpoints, seg_data, tmp_path, folder
):
    out = f'{seg_data["CAMVID_ROOT"]}/{folder}'
    work = ('--work-dir', tmp_path)
    done = call_tool('test.py', CAMVID, checkpoints[CAMVID], *work, '--out', out)
    assert_one_line(done, f'--out {out} is a folder of the data set')


@pytest.mark.parametrize('option', ['--metrics', '--dump'])
def test_a_file_to_write_is_no_folder(call_tool, checkpoints, tmp_path, option):
    folder = tmp_path / 'x.pkl'
    folder.mkdir()
    work = ('--work-dir', tmp_path / 'work')
    done = call_tool('test.py', CAMVID, checkpoints[CAMVID], *work, option, folder)
    assert_one_line(done, option, 'x.pkl is a folder')


def test_the_folder_of_label_maps_is_no_file(call_tool, checkpoints, tmp_path):
    done = call_tool(
        'test.py', CAMVID, checkpoints[CAMVID], '--work-dir', tmp_path / 'work',
        '--out', tmp_path / 'x.pkl',
    )  # fmt: skip
    assert_one_line(done, '--out', 'x.pkl looks like a file', '--dump')
    assert not (tmp_path / 'x.pkl').exists()


@pytest.mark.parametrize('option', ['--metrics', '--dump', '--out', '--show-dir'])
def test_where_nothing_can_be_written_is_said_first(
    call_tool, checkpoints, tmp_path, option
):
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / ('x.pkl' if option == '--dump' else 'x')
    work = ('--work-dir', tmp_path)
    done = call_tool('test.py', CAMVID, checkpoints[CAMVID], *work, option, path)
    assert_one_line(done, 'cannot write to', tmp_path / 'file')


def test_test_time_augmentation_without_masks(call_tool, checkpoints, tmp_path):
    out = tmp_path / 'out'
    ratios = 'tta_pipeline.1.transforms.0.0.scale_factor=1.0'
    done = call_tool(
        'test.py', SERVER, checkpoints[PLAIN], '--work-dir', tmp_path / 'work', '--tta',
        '--out', out, '--cfg-options', 'test_dataloader.num_workers=0', ratios,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.iterdir()] == [NAME]
