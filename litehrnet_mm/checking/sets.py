"""The sets of a config, each in its form."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from litehrnet_mm.checking.coco import CocoSet
from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.checking.images import look_at_images
from litehrnet_mm.checking.inspection import DataSet, Inspection
from litehrnet_mm.checking.keypoints import Keypoints
from litehrnet_mm.checking.leaks import TRAIN
from litehrnet_mm.checking.masks import MaskSet
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import data_sets
from litehrnet_mm.engine.keypoint_check import check_declared
from litehrnet_mm.engine.mask_check import labels_of
from litehrnet_mm.engine.mask_loading import Labels
from litehrnet_mm.engine.options import is_pose, is_segmentation
from litehrnet_mm.engine.preflight import check_data

COCO_READERS = ('_load_annotations', 'parse_data_info')
"""Methods of MMPose's data sets that those with a form of their own replace."""


@dataclass(frozen=True)
class ImageSet:
    """Images of a pose data set whose annotations are not in COCO's format.

    Attributes:
        splits: What uses them.
        dataset: The part of a config that names them.
    """

    splits: tuple[str, ...]
    dataset: Mapping[str, Any]

    def key(self) -> Any:
        """The files that it consists of."""
        return str([self.dataset.get(key) for key in ('ann_file', 'data_prefix')])

    def folders(self) -> list[Path]:
        """None: nothing is ever written."""
        return []

    def inspect(self, jobs: int) -> Inspection:
        """Decode the images."""
        built = _build(self.dataset, lazy_init=False)
        infos = [built.get_data_info(index) for index in range(len(built))]
        paths = list(dict.fromkeys(Path(info['img_path']) for info in infos))
        findings = Findings()
        form = "the annotations, whose form is not COCO's"
        findings.add('form', self.dataset['type'], form)
        if not paths:
            findings.add('empty', built.ann_file)
        title = f'Decoding images ({self.splits[0]})'
        facts = look_at_images(paths, jobs, title)
        for path, found in facts.items():
            found.report(findings, str(path))
        digests = {path: x.digest for path, x in facts.items() if x.digest}
        title = f'{built.ann_file}: {len(paths)} images, {len(infos)} persons'
        return Inspection(self.splits, title, findings, digests)

    def mend(self, inspection: Inspection, out: Path) -> list[str]:
        """Say that nothing can be mended."""
        return [f'{inspection.name}: only COCO annotations and masks can be mended']


def sets_of(cfg: Config, splits: Sequence[str]) -> list[DataSet]:
    """The sets of a config, those that two splits evaluate on once.

    Args:
        cfg: The whole config.
        splits: Which of ``'train'``, ``'val'``, ``'test'`` to take, if it has them.

    Raises:
        UserError: If folders or files are missing, keypoints are declared wrongly, or
            the config is for something else.
    """
    splits = [split for split in splits if cfg.get(f'{split}_dataloader')]
    if not splits or not (is_pose(cfg) or is_segmentation(cfg)):
        raise UserError(f'config {cfg.filename} has no data of poses or segmentation')
    check_data(cfg, tuple(splits))
    check_declared(cfg, splits)
    found: dict[Any, DataSet] = {}
    for split in splits:
        for one in _of_split(cfg, split):
            # What one trains on is a set of its own: the same elsewhere is a fault.
            key = split == TRAIN, one.key()
            first = found.get(key)
            both = first and tuple(dict.fromkeys((*first.splits, split)))
            found[key] = replace(first, splits=both) if first else one
    return list(found.values())


def _of_split(cfg: Config, split: str) -> Iterator[DataSet]:
    for dataset in data_sets(cfg[f'{split}_dataloader'].get('dataset')):
        if {'dataset', 'datasets'} & set(dataset):
            continue  # it is made of those that follow
        if is_segmentation(cfg):
            yield MaskSet((split,), dataset, labels_of(cfg, split))
            continue
        built = _build(dataset, lazy_init=True)
        if _is_coco(built):
            folder = Path(built.data_prefix.get('img', ''))
            keypoints = Keypoints.of_dataset(built.metainfo)
            yield CocoSet((split,), Path(built.ann_file), folder, keypoints)
        else:
            yield ImageSet((split,), dataset)


def _build(dataset: Mapping[str, Any], lazy_init: bool) -> Any:
    with DefaultScope.overwrite_default_scope('mmpose'):
        return DATASETS.build(dict(dataset, lazy_init=lazy_init, pipeline=[]))


def _is_coco(built: Any) -> bool:
    from mmpose.datasets.datasets.base import BaseCocoStyleDataset as Base

    mine = type(built)
    return isinstance(built, Base) and all(
        getattr(mine, name) is getattr(Base, name) for name in COCO_READERS
    )


def keypoints_of(cfg: Config) -> Keypoints:
    """The keypoints of a pose config.

    Raises:
        UserError: If it has none.
    """
    loaders = [cfg.get(f'{split}_dataloader') for split in ('train', 'val', 'test')]
    datasets = [x.dataset for x in loaders if x]
    if not datasets or not is_pose(cfg):
        raise UserError(f'config {cfg.filename} has no data of poses')
    check_declared(cfg, ('train', 'val', 'test'))
    return Keypoints.of_dataset(_build(datasets[0], lazy_init=True).metainfo)


def coco_set(path: Path, folder: Path, keypoints: Keypoints | None) -> CocoSet:
    """An annotation file and a folder of images, without a config.

    Raises:
        UserError: If either does not exist.
    """
    if not os.path.isfile(path):
        raise UserError(f'annotation file not found: {path}')
    if not os.path.isdir(folder):
        raise UserError(f'image folder not found: {folder}')
    return CocoSet(('coco',), path, folder, keypoints)


def folder_set(
    images: Path,
    masks: Path,
    labels: Labels,
    suffixes: tuple[str, str],
    ann_file: str = '',
    reduce_zero_label: bool = False,
) -> MaskSet:
    """Folders of images and masks, without a config.

    Args:
        images: Folder of the images.
        masks: Folder of the masks.
        labels: Values that masks may have.
        suffixes: How names of images and of masks end.
        ann_file: List of names without these endings; all images if empty.
        reduce_zero_label: Whether 0 is ignored and 1 is the first class.

    Raises:
        UserError: If a folder or the list does not exist.
    """
    for path, kind in ((images, 'image folder'), (masks, 'folder of masks')):
        if not os.path.isdir(path):
            raise UserError(f'{kind} not found: {path}')
    if ann_file and not os.path.isfile(ann_file):
        raise UserError(f'list of names not found: {ann_file}')
    return MaskSet(
        ('masks',),
        dict(
            type='BaseSegDataset',
            data_prefix=dict(img_path=str(images), seg_map_path=str(masks)),
            img_suffix=suffixes[0],
            seg_map_suffix=suffixes[1],
            ann_file=ann_file,
            reduce_zero_label=reduce_zero_label,
            pipeline=[dict(type='LoadAnnotations')],
        ),
        labels,
    )
