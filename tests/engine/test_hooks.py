"""Pictures of what a network predicts: one an image, whoever is on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from made_up import KEYPOINTS, SIZE, annotation, pose, write_set
from mmengine.runner import get_priority
from mmengine.structures import InstanceData

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.drawing import DrawPosesHook
from litehrnet_mm.engine.hooks import SaveMetricsHook
from litehrnet_mm.visualization.comparison import MIN_HEIGHT
from litehrnet_mm.visualization.pictures import CAPTION_HEIGHT, GAP

WHITE = 255  # of boxes


def meta(keypoints: int = KEYPOINTS) -> dict:
    """Of a data set with keypoints of one colour, blue."""
    colours = np.array([[0, 0, 255]] * keypoints, np.uint8)
    return dict(
        num_keypoints=keypoints,
        keypoint_colors=colours,
        skeleton_links=[(0, 1)],
        skeleton_link_colors=colours[:1],
    )


def data_sample(
    folder: Path, image: int, points: np.ndarray, score: float = 0.9, **more
) -> SimpleNamespace:
    """One person, as MMPose hands it to hooks."""
    from mmpose.structures import PoseDataSample

    low, high = points.min(axis=0), points.max(axis=0)
    box = np.array([[*low, *high]], np.float32)
    found = PoseDataSample(
        metainfo=dict(
            img_id=image, img_path=str(folder / 'images' / f'{image:012}.jpg'), **more
        )
    )
    found.gt_instances = InstanceData(
        bboxes=box,
        bbox_scores=np.ones(1, np.float32),
        keypoints=points[None].astype(np.float32),
        keypoints_visible=np.ones((1, len(points)), np.float32),
    )
    found.pred_instances = InstanceData(
        bboxes=box,
        bbox_scores=np.ones(1, np.float32),
        keypoints=points[None].astype(np.float32),
        keypoint_scores=np.full((1, len(points)), score, np.float32),
    )
    return found


class Dataset(SimpleNamespace):
    """As much of a data set as the hook looks at."""

    def __len__(self) -> int:
        return self.length


def make_runner(folder: Path, length: int, **more) -> SimpleNamespace:
    """As much of a runner as the hook looks at."""
    dataset = Dataset(
        length=length,
        metainfo=more.pop('metainfo', meta()),
        data_prefix=dict(img=str(folder / 'images')),
        ann_file=str(folder / 'person_keypoints_val.json'),
        bbox_file=None,
        **more,
    )
    loader = SimpleNamespace(dataset=dataset)
    loaders = dict(test_dataloader=loader, val_dataloader=loader)
    return SimpleNamespace(**loaders, train_loop=None, epoch=3, iter=77, hooks=[])


def draw(hook: DrawPosesHook, runner, *batches) -> list[str]:
    """Run the hook as a test does; names of the pictures."""
    hook.before_test(runner)
    for index, batch in enumerate(batches):
        hook.after_test_iter(runner, index, None, batch)
    hook.after_test_epoch(runner, {})
    return sorted(p.relative_to(hook.out_dir).as_posix() for p in _files(hook.out_dir))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob('*') if path.is_file()]


def panels(path: Path) -> list[np.ndarray]:
    """Left and right picture without captions, at the image's size."""
    picture = cv2.imread(str(path))[CAPTION_HEIGHT:]
    width = (picture.shape[1] - GAP) // 2
    assert picture.shape[:2] == (MIN_HEIGHT, 2 * MIN_HEIGHT + GAP)
    parts = (picture[:, :width], picture[:, width + GAP :])
    return [cv2.resize(part, (SIZE, SIZE)) for part in parts]


def blue(picture: np.ndarray, x: int, y: int) -> bool:
    """Whether keypoints are drawn in the box of a person at (x, y)."""
    part = picture[y : y + 80, x : x + 40].astype(int)
    return bool((part[..., 0] - part[..., 2] > 80).any())


def test_persons_of_an_image_share_a_picture_though_in_other_batches(tmp_path):
    write_set(tmp_path, [])
    first, second = pose(10, 10), pose(110, 60)
    out = tmp_path / 'out'
    names = draw(
        DrawPosesHook(out),
        make_runner(tmp_path, 3),
        [data_sample(tmp_path, 1, first), data_sample(tmp_path, 2, second)],
        [data_sample(tmp_path, 1, second)],
    )
    assert names == ['000000000001.jpg', '000000000002.jpg']
    for part in panels(out / names[0]):
        assert blue(part, 10, 10)
        assert blue(part, 110, 60)
    for part in panels(out / names[1]):
        assert not blue(part, 10, 10)
        assert blue(part, 110, 60)


def test_every_so_many_images(tmp_path):
    write_set(tmp_path, [], images=5)
    batch = [data_sample(tmp_path, number, pose(9, 9)) for number in range(1, 6)]
    hook = DrawPosesHook(tmp_path / 'out', interval=2)
    names = draw(hook, make_runner(tmp_path, 5), batch)
    assert names == [f'{number:012}.jpg' for number in (1, 3, 5)]


def test_doubtful_persons_and_keypoints_are_left_out(tmp_path):
    write_set(tmp_path, [])
    sure, unsure = pose(10, 10), pose(110, 60)
    batch = [data_sample(tmp_path, 1, sure), data_sample(tmp_path, 1, unsure, 0.25)]
    out = tmp_path / 'out'
    for options in ({}, dict(min_score=0.95)):
        hook = DrawPosesHook(out, **options)
        (name,) = draw(hook, make_runner(tmp_path, 2), batch)
        truth, found = panels(out / name)
        assert blue(truth, 110, 60)
        assert blue(found, 10, 10) == (not options)
        assert not blue(found, 110, 60)


@pytest.mark.parametrize('annotated', [True, False])
def test_detected_boxes_take_the_truth_from_the_annotations(tmp_path, annotated):
    """Samples made of a detector's boxes have dummies in place of keypoints."""
    annotations = [annotation(1, 1, pose(110, 60)), annotation(2, 2, pose(0, 0))]
    path = write_set(tmp_path, annotations if annotated else [])
    runner = make_runner(tmp_path, 1)
    runner.test_dataloader.dataset.bbox_file = 'boxes.json'
    found = data_sample(tmp_path, 1, pose(10, 10))
    found.gt_instances.keypoints = np.zeros((1, KEYPOINTS, 2), np.float32)
    assert bool(json.loads(path.read_text())['annotations']) is annotated
    out = tmp_path / 'out'
    (name,) = draw(DrawPosesHook(out), runner, [found])
    if not annotated:
        alone = cv2.imread(str(out / name))
        assert alone.shape[:2] == (MIN_HEIGHT + CAPTION_HEIGHT, MIN_HEIGHT)
        return
    left, right = panels(out / name)
    assert (blue(left, 110, 60), blue(left, 10, 10)) == (True, False)
    assert (blue(right, 110, 60), blue(right, 10, 10)) == (False, True)


def test_visibility_comes_from_the_raw_annotation(tmp_path):
    """The data set itself keeps only whether a keypoint is labelled."""
    write_set(tmp_path, [])
    points = pose(60, 60)
    raw = annotation(1, 1, points)
    raw['keypoints'] = [0] * 48 + [80, 100, 1]
    batch = [data_sample(tmp_path, 1, points, raw_ann_info=raw)]
    out = tmp_path / 'out'
    (name,) = draw(DrawPosesHook(out), make_runner(tmp_path, 1), batch)
    left, right = (cv2.resize(p, (480, 480)) for p in panels(out / name))
    amounts = [
        np.count_nonzero(part[..., 0].astype(int) - part[..., 2] > 80)
        for part in (left, right)
    ]
    assert 0 < amounts[0] < amounts[1] / 5


@pytest.mark.parametrize(
    ('name', 'keypoints'), [('mpii', 16), ('coco_wholebody_hand', 21), ('aic', 14)]
)
def test_skeletons_of_other_data_sets(tmp_path, name, keypoints):
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    metainfo = parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{name}.py'))
    write_set(tmp_path, [])
    points = np.linspace((50, 50), (150, 130), keypoints)
    batch = [data_sample(tmp_path, 1, points)]
    out = tmp_path / 'out'
    runner = make_runner(tmp_path, 1, metainfo=metainfo)
    (picture,) = draw(DrawPosesHook(out), runner, batch)
    left, right = panels(out / picture)
    for part in (left, right):
        colours = part[50:131, 50:151].reshape(-1, 3).astype(int)
        assert (np.ptp(colours, axis=1) > 80).sum() > 100
    assert np.abs(left.astype(int) - right).mean() < 2


def test_pictures_lie_as_the_images_do(tmp_path):
    write_set(tmp_path, [])
    inner = tmp_path / 'images/city/street'
    inner.mkdir(parents=True)
    cv2.imwrite(str(inner / 'a.png'), np.zeros((50, 50, 3), np.uint8))
    found = data_sample(tmp_path, 1, pose(0, 0))
    found.set_metainfo(dict(img_path=str(inner / 'a.png')))
    outside = data_sample(tmp_path, 2, pose(0, 0))
    cv2.imwrite(str(tmp_path / 'b.JPG'), np.zeros((50, 50, 3), np.uint8))
    outside.set_metainfo(dict(img_path=str(tmp_path / 'b.JPG')))
    hook = DrawPosesHook(tmp_path / 'out')
    names = draw(hook, make_runner(tmp_path, 2), [found, outside])
    assert names == ['b.JPG', 'city/street/a.png.jpg']


def test_validations_have_folders_of_their_own(tmp_path):
    write_set(tmp_path, [])
    runner = make_runner(tmp_path, 1)
    hook = DrawPosesHook(tmp_path / 'out')
    for runner.epoch in (1, 2):
        hook.before_val(runner)
        hook.after_val_iter(runner, 0, None, [data_sample(tmp_path, 1, pose(9, 9))])
        hook.after_val_epoch(runner, {})
    names = sorted(str(p.relative_to(tmp_path / 'out')) for p in _files(hook.out_dir))
    assert names == [f'epoch_{epoch}/000000000001.jpg' for epoch in (1, 2)]


def test_metrics_are_written_before_anything_is_drawn():
    assert get_priority(SaveMetricsHook.priority) < get_priority(DrawPosesHook.priority)


def test_the_images_are_never_written_over(tmp_path):
    write_set(tmp_path, [])
    hook = DrawPosesHook(tmp_path / 'out/../images')
    with pytest.raises(UserError, match=r'--show-dir .* folder of the images'):
        hook.before_test(make_runner(tmp_path, 1))


def test_a_folder_that_cannot_be_made_is_said_before_the_test(tmp_path):
    path = write_set(tmp_path, [])
    with pytest.raises(UserError, match=f'cannot write to {path}/out'):
        DrawPosesHook(path / 'out').before_test(make_runner(tmp_path, 1))


def test_a_window_for_each_picture(tmp_path):
    write_set(tmp_path, [])
    shown = []
    runner = make_runner(tmp_path, 1)
    runner.visualizer = SimpleNamespace(show=lambda *args: shown.append(args))
    hook = DrawPosesHook(show=True, wait_time=2)
    hook.after_test_iter(runner, 0, None, [data_sample(tmp_path, 1, pose(9, 9))])
    hook.after_test_epoch(runner, {})
    ((picture, title, seconds),) = shown
    assert (title, seconds) == ('000000000001.jpg', 2)
    assert picture.shape == (MIN_HEIGHT + CAPTION_HEIGHT, 2 * MIN_HEIGHT + GAP, 3)
    # RGB: what is blue in the data set's colours is blue.
    assert (picture[..., 2].astype(int) - picture[..., 0]).max() > 80
    assert (picture[..., 0].astype(int) - picture[..., 2]).max() < 80


SCRIPT = """
import sys
from pathlib import Path
import torch
from mmengine import dist
sys.path[:0] = sys.argv[3:]
from test_hooks import DrawPosesHook, data_sample, make_runner, pose

folder, rank = Path(sys.argv[1]), int(sys.argv[2])
torch.distributed.init_process_group(
    'gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2
)
# Samples 0, 2, 4 and 1, 3: two on image 1, two on image 2, one on image 3.
persons = [(1, 10), (1, 110), (2, 10), (2, 110), (3, 10)][rank::2]
hook = DrawPosesHook(folder / 'out')
runner = make_runner(folder, 5)
for image, x in persons:
    hook.after_test_iter(runner, 0, None, [data_sample(folder, image, pose(x, 60))])
hook.after_test_epoch(runner, {})
# Else threads of gloo sometimes abort Python at its end.
torch.distributed.destroy_process_group()
"""


def test_two_processes_draw_one_set_of_pictures(tmp_path, repository):
    """Persons of an image are on both."""
    write_set(tmp_path, [], images=3)
    paths = [str(repository / 'tests/engine'), str(repository / 'tests')]
    runs = [
        subprocess.Popen(
            [sys.executable, '-c', SCRIPT, str(tmp_path), str(rank), *paths],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    errors = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    out = tmp_path / 'out'
    assert sorted(p.name for p in out.iterdir()) == [f'{n:012}.jpg' for n in (1, 2, 3)]
    for number, second in ((1, True), (2, True), (3, False)):
        for part in panels(out / f'{number:012}.jpg'):
            assert blue(part, 10, 60)
            assert blue(part, 110, 60) is second
