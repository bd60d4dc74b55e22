"""Whether the keypoints that a config declares agree with each other and with the data.

MMPose takes them on trust, and a slip ends in an error far away, in the first flipped
batch or in the metric after the first evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from litehrnet_mm.checking.coco_file import read_coco
from litehrnet_mm.checking.coco_structure import check_entries
from litehrnet_mm.checking.keypoints import Keypoints, count_fault
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import data_sets
from litehrnet_mm.engine.messages import warn
from litehrnet_mm.values import shown


def check_keypoints(cfg: Config, splits: tuple[str, ...]) -> None:
    """Check data sets whose keypoints are written out in the config.

    Args:
        cfg: The whole config.
        splits: Which of ``'train'``, ``'val'``, ``'test'`` will run.

    Raises:
        UserError: If names, partners, lines, sigmas, the network's head, or the
            annotations do not fit together.
    """
    check_declared(cfg, splits)
    for split in splits:
        for dataset, info in _declared(cfg, split):
            _check_annotations(dataset, _keypoints(info), split)


def check_declared(cfg: Config, splits: Sequence[str]) -> None:
    """Check what the config itself says of keypoints, without annotations.

    Raises:
        UserError: If names, partners, lines, sigmas and the network's head do not fit
            together.
    """
    for split in splits:
        for _, info in _declared(cfg, split):
            fault = _fault_of_info(info) or _fault_of_head(cfg, info)
            if fault:
                raise UserError(f'{split}_dataloader.dataset.metainfo: {fault}')


def _declared(cfg: Config, split: str) -> Iterator[tuple[Mapping, Mapping]]:
    """Data sets whose keypoints are written out in the config, and what is written."""
    loader = cfg.get(f'{split}_dataloader') or {}
    for dataset in data_sets(loader.get('dataset')):
        info = dataset.get('metainfo') or {}
        if 'keypoint_info' in info:
            yield dataset, info


def _keypoints(info: Mapping[str, Any]) -> Keypoints:
    points = info['keypoint_info']
    return Keypoints.by_names(
        [str(points[number]['name']) for number in sorted(points)]
    )


def declared_keypoints(cfg: Config, path: Path) -> Keypoints | None:
    """The keypoints that a config declares for an annotation file, if it does."""
    for split in ('train', 'val', 'test'):
        for dataset, info in _declared(cfg, split):
            if _annotation_file(dataset) == path:
                return _keypoints(info)
    return None


def _annotation_file(dataset: Mapping[str, Any]) -> Path:
    return Path(dataset.get('data_root') or '') / dataset.get('ann_file', '')


def _fault_of_info(info: Mapping[str, Any]) -> str | None:
    points = info['keypoint_info']
    count = len(points)
    if sorted(points) != list(range(count)):
        return f'keypoint_info must be numbered from 0 to {count - 1}'
    names = [point['name'] for point in points.values()]
    partners = {point['name']: point.get('swap', '') for point in points.values()}
    if len(partners) < count:
        return 'keypoint_info has two keypoints of one name'
    for number, point in points.items():
        if point.get('id') != number:
            return (
                f'keypoint {point["name"]} has the id {point.get("id")}, not {number}'
            )
    for name, partner in partners.items():
        if partner and partners.get(partner) != name:
            return (
                f'keypoint {name} swaps with {partner!r}, which does not swap with it'
            )
    for link in info.get('skeleton_info', {}).values():
        for name in link['link']:
            if name not in names:
                return f'skeleton_info has a line to {name!r}, which is no keypoint'
    for key in ('joint_weights', 'sigmas'):
        if len(info.get(key, ())) != count:
            found = len(info.get(key, ()))
            return f'{key} has {found} values for {count} keypoints'
    return None


def _fault_of_head(cfg: Config, info: Mapping[str, Any]) -> str | None:
    channels = cfg.model.get('head', {}).get('out_channels')
    count = len(info['keypoint_info'])
    if channels is not None and channels != count:
        return f'{count} keypoints, but model.head.out_channels={channels}'
    return None


def _check_annotations(
    dataset: Mapping[str, Any], keypoints: Keypoints, split: str
) -> None:
    path, count = _annotation_file(dataset), len(keypoints.names)
    if not path.is_file():
        return  # said by others, if it should be there
    content = read_coco(path)
    annotations = content.get('annotations', [])
    for annotation in annotations:
        values = annotation.get('keypoints') if isinstance(annotation, dict) else None
        fault = count_fault(values, count) if isinstance(values, list) else None
        if fault:
            raise UserError(
                f'annotation file {path}: annotation {shown(annotation.get("id"))} '
                f'{fault} ({split}_dataloader.dataset.metainfo)'
            )
    lacking, first = check_entries(path, content, keypoints)
    if lacking:
        warn(
            f'{path}: {lacking} of {len(annotations)} annotations have no box or '
            f'no keypoints and are not used, the first is {first}'
        )
