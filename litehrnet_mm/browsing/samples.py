"""Samples of a data set, before and after the pipeline that a config has for it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import set_random_seed
from mmengine.structures import BaseDataElement
from torch import Tensor

from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.engine.config_file import data_sets
from litehrnet_mm.engine.keypoint_check import check_keypoints
from litehrnet_mm.engine.mask_check import check_has_images, labels_of
from litehrnet_mm.engine.mask_loading import with_checked_loading
from litehrnet_mm.engine.options import is_pose, is_segmentation
from litehrnet_mm.engine.preflight import check_data

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Sample:
    """A sample of a data set.

    Attributes:
        index: Its number in the data set, from 0.
        info: What the data set told the pipeline.
        image: What the pipeline made of the image: BGR uint8, shape (H, W, 3).
        data: The annotations and targets that it made.
        transforms: The pipeline's.
    """

    index: int
    info: dict[str, Any]
    image: np.ndarray
    data: BaseDataElement
    transforms: Sequence[Any]


class Follower:
    """A pipeline that gives what it was given along with what it makes of it.

    Args:
        pipeline: MMEngine's ``Compose``.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        for transform in pipeline.transforms:
            # MMPose packs keypoints in the crop's pixels only if it is asked to.
            if hasattr(transform, 'pack_transformed'):
                transform.pack_transformed = True

    def __call__(self, info: dict[str, Any]) -> tuple | None:
        """Run the pipeline; ``None`` where it wants another sample."""
        # CombinedDataset adds itself, for transforms that mix images.
        told = {key: value for key, value in info.items() if key != 'dataset'}
        told = copy.deepcopy(told)
        made = self.pipeline(info)
        return None if made is None else (told, made, self.pipeline.transforms)


def open_split(cfg: Config, path: str, split: str) -> Any:
    """Build the data set of a split, with its pipeline followed.

    Args:
        cfg: A config of pose or segmentation.
        path: Its file, for messages.
        split: ``'train'``, ``'val'`` or ``'test'``.

    Returns:
        MMEngine's data set, whose items :func:`read_samples` understands.

    Raises:
        UserError: If the config is none of these, or has no such split, or the split
            is empty or its files are missing.
    """
    if not is_pose(cfg) and not is_segmentation(cfg):
        raise UserError(
            f'config {path} is for {cfg.default_scope}: only data of pose (mmpose) and '
            'segmentation (mmseg) can be looked at'
        )
    settings = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
    if settings is None:
        there = [x for x in SPLITS if cfg.get(f'{x}_dataloader')]
        raise UserError(
            f'config {path} has no {split}_dataloader with a data set; it has '
            f'{", ".join(there) or "none of " + ", ".join(SPLITS)}'
        )
    check_data(cfg, (split,), ('dataloader',))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        if is_segmentation(cfg):
            settings = with_checked_loading(settings, labels_of(cfg, split))
        else:
            check_keypoints(cfg, (split,))
        dataset = DATASETS.build(_plain(settings))
    if hasattr(dataset, 'img_suffix'):
        check_has_images(dataset)
    if not len(dataset):
        raise UserError(
            f'{split}_dataloader.dataset of config {path} is empty: no image has '
            'annotations that can be used'
        )
    _follow(dataset)
    return dataset


def _plain(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of a data set that keeps its samples as they are.

    MMEngine packs them for the workers of a data loader, and fails if there are none.
    """
    settings = copy.deepcopy(settings)
    for dataset in data_sets(settings):
        if not {'dataset', 'datasets'} & set(dataset):
            dataset['serialize_data'] = False
    return settings


def _follow(dataset: Any) -> None:
    """Follow the pipelines whose results are the data set's, however it is wrapped."""
    pipeline = getattr(dataset, 'pipeline', None)
    if hasattr(pipeline, 'transforms'):
        dataset.pipeline = Follower(pipeline)
        return
    parts = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if pipeline is not None or parts == [None]:
        raise UserError(
            f'{type(dataset).__name__} cannot be looked into: it mixes images by a '
            'pipeline of its own'
        )
    for part in parts:
        _follow(part)


def choose(length: int, number: int, shuffle: bool, seed: int) -> list[int]:
    """Which samples to look at: the first, or random ones in order.

    Args:
        length: Of the data set.
        number: Of samples; all if there are not so many.
        shuffle: Take random ones.
        seed: Says which.
    """
    number = min(number, length)
    if not shuffle:
        return list(range(number))
    generator = np.random.default_rng(seed)
    return sorted(generator.choice(length, number, replace=False).tolist())


def read_samples(dataset: Any, indices: Sequence[int], seed: int) -> Iterator[Sample]:
    """Run samples through their pipeline.

    Args:
        dataset: What :func:`open_split` returned.
        indices: Of the samples.
        seed: For augmentation; with another each sample looks different.

    Raises:
        UserError: If what a pipeline makes is no picture.
    """
    for index in indices:
        set_random_seed((seed + index) % 2**32)
        try:
            info, made, transforms = dataset[index]
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f'sample {index} cannot be prepared ({one_line(error)}): '
                'tools/check_dataset.py config CONFIG finds faulty annotations'
            ) from error
        if 'inputs' not in made:
            raise UserError(
                'the pipeline does not end with PackPoseInputs or PackSegInputs, so '
                'that a network would get nothing'
            )
        image = to_picture(made['inputs'])
        yield Sample(index, info, image, made['data_samples'], transforms)


def to_picture(inputs: Tensor) -> np.ndarray:
    """The image that a pipeline made, which a network's preprocessor would normalise.

    Args:
        inputs: BGR from 0 to 255, shape (3, H, W).

    Returns:
        BGR uint8, shape (H, W, 3).

    Raises:
        UserError: If there are other values, or no three channels.
    """
    if inputs.ndim != 3 or len(inputs) != 3:
        raise UserError(
            f'the pipeline makes inputs of shape {tuple(inputs.shape)}, which are no '
            'colour picture (3, height, width)'
        )
    low, high = float(inputs.min()), float(inputs.max())
    if low < 0 or high > 255:
        raise UserError(
            f'the pipeline makes pictures with values from {low:g} to {high:g}: leave '
            'it to model.data_preprocessor to normalise them'
        )
    return np.ascontiguousarray(inputs.permute(1, 2, 0).round().byte().numpy())
