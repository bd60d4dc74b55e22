"""Pictures of what a pose network found, beside the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine import fileio
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from litehrnet_mm.cli import UserError, make_folder, progress_bar
from litehrnet_mm.engine.preemption import asked_to_end
from litehrnet_mm.evaluation.scores import pose_score
from litehrnet_mm.registry import HOOKS
from litehrnet_mm.visualization import (
    PoseStyle,
    as_annotation,
    compare_poses,
    read_image,
    write_image,
)
from litehrnet_mm.visualization.annotations import (
    has_keypoints,
    to_annotations,
    to_xywh,
)


@dataclass(frozen=True)
class Prediction:
    """What a network found in one data sample.

    Attributes:
        img_id: The image's id in the data set.
        img_path: The image.
        truth: Annotations of the persons in the sample, as the data set tells them.
        poses: Predicted persons, as for :func:`.draw_people`.
        scores: One for each of those.
    """

    img_id: int
    img_path: str
    truth: list[dict]
    poses: list[dict]
    scores: list[float]


@HOOKS.register_module()
class DrawPosesHook(Hook):
    """Draw ground truth and predicted poses side by side, a picture for an image.

    Top-down networks see one person at a time, and those of an image may be in
    different batches and on different processes. So predictions are gathered, and drawn
    after the metrics have been computed.

    Args:
        out_dir: Folder for the pictures of a test; those of a validation go into one
            folder in it each, named after the epoch or iteration.
        interval: Draw every so many images of the data set.
        show: Show each picture in a window.
        wait_time: Seconds that a window stays.
        min_score: Predicted poses below this score are left out, and counted in the
            caption. As in MMPose's ``CocoMetric``, the score is that of the box times
            the mean of the keypoints' above 0.2.
    """

    # After the metrics are written, whatever happens here.
    priority = 'LOWEST'

    def __init__(
        self,
        out_dir: str | None = None,
        interval: int = 1,
        show: bool = False,
        wait_time: float = 1,
        min_score: float = 0.3,
    ) -> None:
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.min_score = min_score
        self.predictions: list[Prediction] = []

    def before_val(self, runner: Runner) -> None:
        """Check the folder before any work is done."""
        self._check_folder(runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Check the folder before any work is done."""
        self._check_folder(runner.test_dataloader)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Keep the predictions of a batch."""
        self.predictions += [to_prediction(sample) for sample in outputs or ()]

    after_test_iter = after_val_iter

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Draw what one validation found."""
        by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
        when = f'iter_{runner.iter}' if by_iter else f'epoch_{runner.epoch}'
        self._draw(runner, runner.val_dataloader, when)

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Draw what the test found."""
        self._draw(runner, runner.test_dataloader, '')

    def _check_folder(self, loader: DataLoader) -> None:
        if self.out_dir is None:
            return
        images = _image_folder(loader.dataset)
        if images and self.out_dir.resolve() == images.resolve():
            raise UserError(
                f'--show-dir {self.out_dir} is the folder of the images, which the '
                'pictures would replace: give another'
            )
        make_folder(self.out_dir)

    def _draw(self, runner: Runner, loader: DataLoader, folder: str) -> None:
        dataset = loader.dataset
        gathered = collect_results(self.predictions, len(dataset), 'cpu')
        self.predictions = []
        if not is_main_process():
            return
        by_image: dict[str, list[Prediction]] = {}
        for prediction in gathered:
            by_image.setdefault(prediction.img_path, []).append(prediction)
        chosen = list(by_image.items())[:: self.interval]
        truths = _read_truth(dataset, [found for _, found in chosen])
        style = PoseStyle.from_meta(dataset.metainfo)
        for (path, found), truth in progress_bar(zip(chosen, truths), len(chosen)):
            if asked_to_end(runner):
                print_log('SIGTERM: no more pictures', 'current')
                return
            picture = self._compare(read_image(path), truth, found, style)
            if self.out_dir:
                name = _picture_name(path, _image_folder(dataset))
                write_image(self.out_dir / folder / name, picture)
            if self.show:
                rgb = picture[..., ::-1]
                runner.visualizer.show(rgb, Path(path).name, self.wait_time)
        if self.out_dir:
            where = self.out_dir / folder
            print_log(f'{len(chosen)} pictures in {where}', logger='current')

    def _compare(
        self,
        image: np.ndarray,
        truth: list[dict] | None,
        found: list[Prediction],
        style: PoseStyle,
    ) -> np.ndarray:
        scored = [pair for one in found for pair in zip(one.poses, one.scores)]
        poses = [pose for pose, score in scored if score >= self.min_score]
        return compare_poses(image, truth, poses, style, len(scored) - len(poses))


def to_prediction(sample: BaseDataElement) -> Prediction:
    """Keep of a data sample what is to be drawn.

    Args:
        sample: One of MMPose's, with ``pred_instances`` and ``gt_instances``.
    """
    found, boxes = sample.pred_instances, sample.gt_instances
    keypoints, scores = np.asarray(found.keypoints), np.asarray(found.keypoint_scores)
    corners = found.get('bboxes', [None] * len(keypoints))
    box_scores = found.get('bbox_scores', boxes.get('bbox_scores', ()))
    if len(box_scores) != len(keypoints):  # bottom-up networks need no boxes
        box_scores = np.ones(len(keypoints))
    return Prediction(
        img_id=sample.img_id,
        img_path=sample.img_path,
        truth=_sample_truth(sample),
        poses=[
            as_annotation(points, score, None if box is None else to_xywh(box))
            for points, score, box in zip(keypoints, scores, corners)
        ],
        scores=[pose_score(*pair) for pair in zip(box_scores, scores)],
    )


def _sample_truth(sample: BaseDataElement) -> list[dict]:
    """The persons that a data sample is about."""
    boxes = sample.gt_instances
    if 'keypoints' not in boxes:
        return []
    places = (boxes.keypoints, boxes.keypoints_visible, boxes.bboxes)
    return to_annotations(*places, sample.get('raw_ann_info'))


def _read_truth(
    dataset: Any, images: Sequence[Sequence[Prediction]]
) -> list[list[dict] | None]:
    """The annotated persons of each image; ``None`` where there is no ground truth.

    They come with the samples, unless those are a detector's boxes: then from the
    annotation file, if it has the data set's keypoints.
    """
    if not getattr(dataset, 'bbox_file', None):
        return [[person for one in found for person in one.truth] for found in images]
    count = dataset.metainfo['num_keypoints']
    truth: dict[int, list[dict]] = {}
    for annotation in fileio.load(dataset.ann_file).get('annotations', ()):
        if has_keypoints(annotation, count) and not annotation.get('iscrowd'):
            truth.setdefault(annotation['image_id'], []).append(annotation)
    return [truth.get(found[0].img_id, []) if truth else None for found in images]


def _image_folder(dataset: Any) -> Path | None:
    folder = (getattr(dataset, 'data_prefix', None) or {}).get('img')
    return Path(folder) if folder else None


def _picture_name(path: str, images: Path | None) -> Path:
    """Where a picture goes, below the folder of pictures: as the image does."""
    inside = images is not None and images in Path(path).parents
    name = Path(path).relative_to(images) if inside else Path(Path(path).name)
    if name.suffix.lower() in ('.jpg', '.jpeg'):
        return name
    return name.with_name(f'{name.name}.jpg')
