"""tools/check_dataset.py as a user runs it, on real data and on spoiled copies."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import CONFIG, assert_one_line, on

TOOL = 'check_dataset.py'
SEG_CONFIG = 'configs/seg/custom/fcn_litehrnet-18_1xb8-20k_custom-512x512.py'
CUSTOM = 'configs/pose/custom/td-hm_litehrnet-18_8xb64-70e_custom-256x192.py'
MPII = 'configs/pose/mpii/td-hm_litehrnet-18_8xb32-210e_mpii-256x256.py'
HANDS = (
    'configs/pose/coco_wholebody_hand/'
    'td-hm_litehrnet-18_8xb32-210e_coco-wholebody-hand-256x256.py'
)
MERGED = 'configs/pose/coco/td-hm_litehrnet-18_udp-8xb64-210e_coco-aic-256x192-merge.py'
TEST_DEV = (
    'configs/pose/coco_test-dev/td-hm_litehrnet-18_8xb32-210e_coco-test-dev-384x288.py'
)


@pytest.fixture
def mine(coco, tmp_path) -> Path:
    """A copy of the small COCO that may be spoiled."""
    return Path(shutil.copytree(coco, tmp_path / 'coco'))


@pytest.fixture
def scenes(seg_data, tmp_path, monkeypatch) -> Path:
    """A copy of images and masks of one's own that may be spoiled."""
    copy = Path(shutil.copytree(seg_data['CUSTOM_ROOT'], tmp_path / 'custom'))
    monkeypatch.setenv('CUSTOM_ROOT', str(copy))
    return copy


def spoil(folder: Path) -> None:
    """Have an image cut off, and a box of no area."""
    path = folder / 'person_keypoints_val.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['bbox'][2] = 0
    path.write_text(json.dumps(content))
    image = folder / 'images' / content['images'][1]['file_name']
    image.write_bytes(image.read_bytes()[:20_000])


def test_real_annotations_are_right(call_tool, coco):
    path = coco / 'person_keypoints_val.json'
    done = call_tool(TOOL, 'coco', path, coco / 'images')
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith('0 errors, 0 warnings\n')
    assert '32 images, 93 annotations, 68 with labelled keypoints' in done.stdout
    assert 'Decoding images' in done.stderr


def test_faults_are_shown_reported_and_mended(call_tool, mine, tmp_path):
    spoil(mine)
    path, report = mine / 'person_keypoints_val.json', tmp_path / 'new/report.json'
    out = tmp_path / 'mended.json'
    options = '--report', report, '--fix', out
    done = call_tool(TOOL, 'coco', path, mine / 'images', *options)
    assert done.returncode == 1
    assert 'error: images that cannot be decoded: 1\n' in done.stdout
    assert 'error: boxes of no area: 1\n' in done.stdout
    assert '2 errors, 0 warnings' in done.stdout
    assert f'{out}: 31 images' in done.stdout
    assert '1 annotations left out: boxes of no area' in done.stdout
    content = json.loads(report.read_text())
    assert content['error'] == 2
    (found,) = content['sets']
    levels = [x['level'] for x in found['findings']]
    assert levels.count('error') == 2
    assert {x['kind'] for x in found['findings']} >= {'image-unreadable', 'box-empty'}
    again = call_tool(TOOL, 'coco', out, mine / 'images')
    assert again.returncode == 0, again.stdout


@pytest.fixture
def commands(coco, scenes) -> dict[str, tuple]:
    """For each sub-command what it is given to check."""
    folders = scenes / 'images/train', scenes / 'labels/train'
    return dict(
        config=('config', SEG_CONFIG, '--split', 'train'),
        coco=('coco', coco / 'person_keypoints_val.json', coco / 'images'),
        masks=('masks', *folders, '--classes', 3),
    )


@pytest.mark.parametrize('kind', ['config', 'coco', 'masks'])
def test_as_many_processes_as_asked_for(call_tool, commands, monkeypatch, kind):
    asked = []

    def in_one_process(work, items, jobs, **_):
        asked.append(jobs)
        return map(work, items)

    for module in ('images', 'masks'):
        name = f'litehrnet_mm.checking.{module}.in_processes'
        monkeypatch.setattr(name, in_one_process)
    assert call_tool(TOOL, *commands[kind], '--jobs', 3).returncode == 0
    assert asked == [3]


@pytest.mark.parametrize('kind', ['config', 'masks'])
def test_faults_of_masks_are_shown_reported_and_mended(
    call_tool, commands, scenes, tmp_path, kind
):
    masks = sorted((scenes / 'labels/train').iterdir())
    for number, mask in enumerate(masks):
        pixels = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
        pixels[0, 0] = 37 + number
        assert cv2.imwrite(str(mask), pixels)
    report, out = tmp_path / 'report.json', tmp_path / 'out'
    options = '--show', 1, '--report', report, '--fix', out
    done = call_tool(TOOL, *commands[kind], *options)
    assert done.returncode == 1
    assert [f'{mask}: 3' in done.stdout for mask in masks] == [True, False]
    assert '... and 1 more' in done.stdout
    assert json.loads(report.read_text())['error'] == 2
    mended = sorted(out.rglob('*.png'))
    assert [cv2.imread(str(path), -1)[0, 0] for path in mended] == [255, 255]


def test_as_many_examples_as_asked_for(call_tool, mine):
    shutil.rmtree(mine / 'images')
    (mine / 'images').mkdir()
    path = mine / 'person_keypoints_val.json'
    done = call_tool(TOOL, 'coco', path, mine / 'images', '--show', 3)
    assert done.returncode == 1
    assert 'image files that do not exist: 32' in done.stdout
    assert done.stdout.count('.jpg') == 3
    assert '... and 29 more' in done.stdout


def test_the_keypoints_of_a_config(call_tool, coco, pose_data):
    path = coco / 'person_keypoints_val.json'
    fitting = call_tool(TOOL, 'coco', path, coco / 'images', '--keypoints', CONFIG)
    assert fitting.returncode == 0
    other = call_tool(TOOL, 'coco', path, coco / 'images', '--keypoints', CUSTOM)
    assert other.returncode == 1
    assert 'and 5 keypoints take 15' in other.stdout


def test_a_config_of_poses(call_tool, mine, tmp_path):
    spoil(mine)
    options = ['--cfg-options', *on(mine, 'train')]
    fix = ['--fix', tmp_path / 'out']
    done = call_tool(TOOL, 'config', CONFIG, '--split', 'train', *fix, *options)
    assert done.returncode == 1
    assert done.stdout.startswith('train: ')
    assert '2 errors' in done.stdout
    options[2] = f'train_dataloader.dataset.ann_file={tmp_path}/out/train.json'
    again = call_tool(TOOL, 'config', CONFIG, '--split', 'train', *options)
    assert again.returncode == 0, again.stdout


def test_the_same_images_in_training_and_evaluation(call_tool, mine, tmp_path):
    other = Path(shutil.copytree(mine, tmp_path / 'other'))
    path = other / 'person_keypoints_val.json'
    content = json.loads(path.read_text())
    for record in content['images'][2:]:  # of one name, but other images
        image = other / 'images' / record['file_name']
        image.write_bytes(image.read_bytes() + b'\0')
    options = ['--cfg-options', *on(mine, 'train'), *on(other, 'val')]
    options += on(other, 'test')
    done = call_tool(TOOL, 'config', CONFIG, '--fix', tmp_path / 'out', *options)
    assert done.returncode == 1
    assert 'error: images to train on that are also evaluated on: 2' in done.stdout
    assert 'note: names of files that other images in another split have: 30' in (
        done.stdout
    )
    assert 'val, test: ' in done.stdout
    mended = json.loads((tmp_path / 'out/train.json').read_text())
    assert len(mended['images']) == 30
    assert len(json.loads((tmp_path / 'out/val.json').read_text())['images']) == 32


def test_annotations_of_another_form(call_tool, pose_data):
    done = call_tool(TOOL, 'config', MPII, '--split', 'train')
    assert done.returncode == 0, done.stdout
    assert "MpiiDataset: the annotations, whose form is not COCO's" in done.stdout
    assert '5 images' in done.stdout


@pytest.mark.parametrize(
    ('config', 'leaks', 'words'),
    [
        (HANDS, 4, 'CocoWholeBodyHandDataset: the annotations, whose form is not COCO'),
        (MERGED, 8, 'aic_train.json: 4 images'),
        (TEST_DEV, 8, 'image_info_test-dev2017.json: 4 images, 0 annotations'),
    ],
)
def test_other_configs(call_tool, pose_data, config, leaks, words):
    """Their data have the same images everywhere, which is all that is wrong."""
    done = call_tool(TOOL, 'config', config)
    assert words in done.stdout, done.stderr
    assert f'\n{leaks} errors, ' in done.stdout


def test_copies_of_two_training_sets(call_tool, pose_data, tmp_path):
    fix = '--split', 'train', '--fix', tmp_path / 'out'
    done = call_tool(TOOL, 'config', MERGED, *fix)
    assert done.returncode == 0, done.stdout
    sizes = []
    for name in ('train', 'train_2'):
        content = json.loads((tmp_path / f'out/{name}.json').read_text())
        sizes.append({len(x['keypoints']) for x in content['annotations']})
    assert sizes == [{51}, {42}]


def test_a_config_of_segmentation(call_tool, scenes, tmp_path):
    mask = sorted((scenes / 'labels/train').iterdir())[0]
    pixels = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    pixels[:2, :3] = 37
    assert cv2.imwrite(str(mask), pixels)
    done = call_tool(TOOL, 'config', SEG_CONFIG, '--fix', tmp_path / 'out')
    assert done.returncode == 1
    assert '1 errors' in done.stdout
    assert f'{mask}: 37 in 6 pixels' in done.stdout
    assert '1 masks with 6 pixels that are ignored now' in done.stdout
    new = tmp_path / 'out/train'
    dataset = 'train_dataloader.dataset'
    options = (
        f'{dataset}.data_prefix.seg_map_path={new}',
        f'{dataset}.ann_file={new}.txt',
    )
    again = call_tool(TOOL, 'config', SEG_CONFIG, '--cfg-options', *options)
    assert again.returncode == 0, again.stdout
    assert np.unique(cv2.imread(str(new / mask.name), -1)).max() == 255


def test_masks_of_cityscapes(call_tool, shared_data):
    root = shared_data / 'cityscapes_sample'
    folders = root / 'leftImg8bit/val', root / 'gtFine/val'
    suffixes = ['--img-suffix', '_leftImg8bit.png', '--seg-map-suffix']
    ids = [*suffixes, '_gtFine_labelTrainIds.png']
    done = call_tool(TOOL, 'masks', *folders, '--classes', 19, *ids)
    assert done.returncode == 0, done.stdout
    assert '0 errors, 9 warnings' in done.stdout
    done = call_tool(TOOL, 'masks', *folders, '--classes', 19, *ids, '--ignore', 0)
    assert '255 in 3869 pixels' in done.stdout
    ids = [*suffixes, '_gtFine_labelIds.png']
    done = call_tool(TOOL, 'masks', *folders, '--classes', 19, *ids)
    assert done.returncode == 1
    (mask,) = folders[1].rglob('*_gtFine_labelIds.png')
    most = int(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).max())
    for options, status in ((), 1), (('--reduce-zero-label',), 0):
        done = call_tool(TOOL, 'masks', *folders, '--classes', most, *ids, *options)
        assert done.returncode == status, done.stdout


def test_what_cannot_be_mended_is_said(call_tool, mine, tmp_path):
    path = mine / 'person_keypoints_val.json'
    content = json.loads(path.read_text())
    names = content['categories'][0]['keypoints']
    names[1], names[2] = names[2], names[1]
    path.write_text(json.dumps(content))
    fix = '--keypoints', CONFIG, '--fix', tmp_path / 'mended.json'
    done = call_tool(TOOL, 'coco', path, mine / 'images', *fix)
    assert done.returncode == 1
    assert 'keypoint 1 is right_eye, in the config left_eye' in done.stdout
    assert 'not mended: keypoints in another order than the config' in done.stdout


def test_a_list_of_masks(call_tool, scenes, tmp_path):
    images, masks = scenes / 'images/train', scenes / 'labels/train'
    lost, kept = sorted(masks.iterdir())
    lost.unlink()
    command = TOOL, 'masks', images, masks, '--classes', 3
    assert call_tool(*command).returncode == 1
    (tmp_path / 'names.txt').write_text(f'{kept.stem}\n')
    done = call_tool(*command, '--ann-file', tmp_path / 'names.txt')
    assert done.returncode == 0, done.stdout
    assert '1 images' in done.stdout


def test_mistakes_end_in_one_line(call_tool, coco, scenes, tmp_path):
    path, images = coco / 'person_keypoints_val.json', coco / 'images'
    masks = 'masks', scenes / 'images/train', scenes / 'labels/train', '--classes'
    (tmp_path / 'broken.json').write_text('{"images": 5}')
    for arguments, words in (
        (('coco', path, images, '--fix', path), ('exists', path)),
        (('coco', path, images, '--fix', tmp_path / 'x'), ('a .json file here, got',)),
        (('coco', tmp_path / 'no.json', images), ('annotation file not found',)),
        (('coco', path, tmp_path / 'no'), ('image folder not found', 'no')),
        (('coco', tmp_path / 'broken.json', images), ("no 'categories'",)),
        (('coco', path, images, '--report', tmp_path), ('is a folder',)),
        ((*masks, 3, '--fix', scenes / 'labels/train/x'), ('lies in the data',)),
        ((*masks, 3, '--fix', tmp_path / 'x.json'), ('a folder here, got',)),
        ((*masks, 300), ('--classes up to 256',)),
        ((*masks, 3, '--ignore', 256), ('--ignore 0 to 255',)),
        (('config', 'configs/no.py'), ('config not found',)),
        (('config', CONFIG, '--cfg-options', *on(tmp_path, 'train')), ('not found',)),
    ):
        assert_one_line(call_tool(TOOL, *arguments), *words)
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize('kind', ['coco', 'masks', 'config'])
def test_help_has_an_example(call_tool, kind):
    done = call_tool(TOOL, kind, '--help')
    assert done.returncode == 0
    assert f'example: python tools/check_dataset.py {kind} ' in done.stdout
