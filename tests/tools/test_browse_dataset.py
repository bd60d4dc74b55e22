"""``tools/browse_dataset.py``: what a network is trained on, in pictures."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from running import LITE_CONFIG, assert_one_line

from litehrnet_mm.visualization import windows

MPII = 'configs/pose/mpii/td-hm_litehrnet-18_8xb32-210e_mpii-256x256.py'
SIMCC = 'configs/pose/coco/simcc_litehrnet-18_8xb64-210e_coco-256x192.py'
MERGED = 'configs/pose/coco/td-hm_litehrnet-18_udp-8xb64-210e_coco-aic-256x192-merge.py'
HANDS = 'configs/pose/coco_wholebody_hand/'
HANDS += 'td-hm_litehrnet-18_8xb32-210e_coco-wholebody-hand-256x256.py'
CUSTOM = 'configs/pose/custom/td-hm_litehrnet-18_8xb64-70e_custom-256x192.py'
RLE = 'configs/examples/td-reg_litehrnet-18_rle-8xb64-210e_coco-256x192.py'
CITYSCAPES = 'configs/seg/cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024'
CAMVID = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'
ADE = 'configs/seg/ade20k/fcn_litehrnet-18_4xb4-160k_ade20k-512x512.py'
OWN = 'configs/seg/custom/fcn_litehrnet-18_1xb8-20k_custom-512x512.py'
UPERNET = 'configs/examples/upernet_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'


@pytest.fixture
def browse(call_tool, tmp_path):
    """Run the tool; its output, and its pictures by name."""

    def run(config, *options, out='out'):
        done = call_tool('browse_dataset.py', config, '--out', tmp_path / out, *options)
        assert done.returncode == 0, done.stderr
        paths = sorted((tmp_path / out).rglob('*.jpg'))
        return done.stdout, {path.name: cv2.imread(str(path)) for path in paths}

    return run


@pytest.mark.parametrize(
    ('config', 'samples', 'first'),
    [
        (LITE_CONFIG, 12, '00_000000000785.jpg'),
        (SIMCC, 12, '00_000000000785.jpg'),
        (MERGED, 24, '00_000000000785.jpg'),
        (HANDS, 20, '00_000000000785.jpg'),
        (CUSTOM, 12, '00_000000000785.jpg'),
        (MPII, 5, '0_005808361.jpg'),
    ],
)
def test_pose(browse, pose_data, config, samples, first):
    said, pictures = browse(config, '--number', 2)
    assert f'2 of {samples} samples of train' in said
    assert 'sheet.jpg' in said
    assert len(pictures) == 3
    assert first in pictures
    bright = [picture.max() for picture in pictures.values()]
    assert min(bright) == 255


def test_regression(browse, pose_data):
    root = f'train_dataloader.dataset.data_root={pose_data["COCO_ROOT"]}/'
    _, pictures = browse(RLE, '--number', 1, '--cfg-options', root)
    assert set(pictures) == {'sheet.jpg', '00_000000000785.jpg'}


@pytest.mark.parametrize(
    ('config', 'split', 'samples'),
    [
        (f'{CITYSCAPES}.py', 'train', 1),
        (f'{CITYSCAPES}.py', 'val', 1),
        (f'{CITYSCAPES}_test-server.py', 'test', 1),  # without masks
        (CAMVID, 'train', 2),
        (ADE, 'train', 2),
        (OWN, 'train', 2),
        (UPERNET, 'train', 1),
    ],
)
def test_segmentation(browse, seg_data, config, split, samples):
    said, pictures = browse(config, '--split', split)
    assert f'{samples} of {samples} samples of {split}' in said
    assert len(pictures) == samples + 1
    views = 2 if 'test-server' in config else 3
    assert pictures['sheet.jpg'].shape[1] > 0.7 * views * 320


def test_options(browse, pose_data):
    _, both = browse(LITE_CONFIG, '--number', 4, out='both')
    _, again = browse(LITE_CONFIG, '--number', 4, out='again')
    assert both.keys() == again.keys()
    assert all(np.array_equal(both[name], again[name]) for name in both)

    _, seeded = browse(LITE_CONFIG, '--number', 4, '--seed', 1, out='seeded')
    assert seeded.keys() == both.keys()
    first = '00_000000000785.jpg'
    left = slice(0, 600)  # the original, which has no augmentation
    assert np.array_equal(seeded[first][:, left], both[first][:, left])
    assert not np.array_equal(seeded[first], both[first])

    random = [
        browse(LITE_CONFIG, '--number', 4, '--shuffle', '--seed', k, out=f'r{k}')[1]
        for k in (1, 2)
    ]
    assert random[0].keys() != random[1].keys()
    assert all(len(found) == 5 for found in random)

    widths = {}
    for stage in ('original', 'transformed', 'both'):
        options = ('--number', 1, '--stage', stage)
        widths[stage] = browse(LITE_CONFIG, *options, out=stage)[1][first].shape[1]
    assert widths == dict(original=640, transformed=2 * 360 + 4, both=640 + 4 + 724)

    narrow, wide = (
        browse(LITE_CONFIG, '--number', 4, '--columns', n, out=f'c{n}')[1]['sheet.jpg']
        for n in (1, 4)
    )
    assert wide.shape[1] == 4 * narrow.shape[1]
    assert narrow.shape[0] > 3 * wide.shape[0]

    options = ('--cfg-options', 'train_dataloader.dataset.indices=2')
    said, few = browse(LITE_CONFIG, '--number', 7, *options, out='few')
    assert '2 of 2 samples' in said
    assert len(few) == 3


def test_more_than_a_sheet(browse, repository, seg_data, tmp_path):
    part = 'train_dataloader=dict(dataset=dict('
    base = repository / CAMVID
    (tmp_path / 'repeated.py').write_text(
        f"_base_ = '{base}'\n"
        f"{part}_delete_=True, type='RepeatDataset', times=25,"
        ' dataset=_base_.train_dataloader.dataset))\n'
    )
    said, pictures = browse(tmp_path / 'repeated.py', '--number', 50)
    assert '50 of 50 samples' in said
    assert len(pictures) == 52
    first, second = (pictures[f'sheet_{k}.jpg'] for k in (1, 2))
    assert first.shape[0] > 5 * second.shape[0]


def test_windows(call_tool, pose_data, monkeypatch):
    shown = []
    monkeypatch.setattr(windows, 'has_screen', lambda: True)
    monkeypatch.setattr(cv2, 'imshow', lambda _, image: shown.append(image.shape))
    keys = iter([32, 32, ord('q')])
    monkeypatch.setattr(cv2, 'waitKey', lambda _: next(keys))
    done = call_tool('browse_dataset.py', LITE_CONFIG, '--show')
    assert done.returncode == 0, done.stderr
    assert '3 of 12 samples' in done.stdout
    assert len(shown) == 3
    monkeypatch.setattr(windows, 'has_screen', lambda: False)
    assert_one_line(call_tool('browse_dataset.py', LITE_CONFIG, '--show'), '--show')


def test_what_was_drawn_is_kept(call_tool, seg_data, tmp_path):
    root = tmp_path / 'camvid'
    shutil.copytree(seg_data['CAMVID_ROOT'], root)
    second = sorted((root / 'images/train').iterdir())[1]
    second.write_bytes(b'no picture')
    done = call_tool(
        'browse_dataset.py', CAMVID, '--out', tmp_path / 'out',
        '--cfg-options', f'train_dataloader.dataset.data_root={root}',
    )  # fmt: skip
    assert_one_line(done, second)
    assert (tmp_path / 'out/sheet.jpg').is_file()
    assert len(list((tmp_path / 'out/samples').iterdir())) == 1


def test_mistakes(call_tool, pose_data, seg_data, tmp_path):
    empty = json.loads(
        (pose_data['COCO_ROOT'] / 'annotations/person_keypoints_train2017.json')
        .read_text()
    )  # fmt: skip
    for annotation in empty['annotations']:
        annotation['keypoints'] = [0] * 51
    (tmp_path / 'empty.json').write_text(json.dumps(empty))
    (tmp_path / 'file').write_text('')
    data = 'train_dataloader.dataset'
    cases = [
        (LITE_CONFIG, f'{data}.ann_file=absent.json', ['absent.json', 'COCO_ROOT']),
        (LITE_CONFIG, f'{data}.ann_file={tmp_path}/empty.json', ['train', 'is empty']),
        (LITE_CONFIG, f'{data}.indices=0', ['train', 'is empty']),
        (LITE_CONFIG, 'train_dataloader=None', ['no train_dataloader', 'val, test']),
        (LITE_CONFIG, f'{data}.type=CocoDatset', ['CocoDatset', 'registry']),
        (LITE_CONFIG, f'{data}.pipeline=[]', ['PackPoseInputs']),
        (CAMVID, f'{data}.img_suffix=.bmp', ['no images *.bmp', 'images/train']),
        (CAMVID, f'{data}.data_prefix.seg_map_path=none', ['folder of masks', 'none']),
        (CAMVID, 'model.decode_head.num_classes=3', ['.png', 'no class (0 to 2)']),
    ]
    for config, option, words in cases:
        done = call_tool(
            'browse_dataset.py', config, '--out', tmp_path / 'out',
            '--cfg-options', option,
        )  # fmt: skip
        assert_one_line(done, *words)
    detector = 'configs/examples/faster-rcnn_litehrnet-18_fpn_1x_coco.py'
    out = ('--out', tmp_path / 'out')
    for arguments, words in [
        ((LITE_CONFIG,), ['--out DIR', '--show']),
        ((LITE_CONFIG, *out, '--seed', -1), ['--seed', '-1']),
        ((LITE_CONFIG, '--out', tmp_path / 'file'), ['cannot write', 'file']),
        ((detector, *out), ['mmdet', 'pose']),
        (('configs/absent.py', *out), ['config not found']),
    ]:
        assert_one_line(call_tool('browse_dataset.py', *arguments), *words)
    for option in (('--number', 0), ('--columns', 0), ('--split', 'all')):
        done = call_tool('browse_dataset.py', LITE_CONFIG, *out, *option)
        assert done.returncode == 2
        assert option[0] in done.stderr
    assert not any((tmp_path / 'out').rglob('*.jpg'))
