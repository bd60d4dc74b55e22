"""Whether the keypoints that a config declares agree with each other and with the data.

MMPose takes them on trust, and a slip ends in an error far away, in the first flipped
batch or in the metric after the first evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import data_sets


def check_keypoints(cfg: Config, splits: tuple[str, ...]) -> None:
    """Check data sets whose keypoints are written out in the config.

    Args:
        cfg: The whole config.
        splits: Which of ``'train'``, ``'val'``, ``'test'`` will run.

    Raises:
        UserError: If names, partners, lines, sigmas, the network's head, or the
            annotations do not fit together.
    """
    for split in splits:
        loader = cfg.get(f'{split}_dataloader') or {}
        for dataset in data_sets(loader.get('dataset')):
            info = dataset.get('metainfo') or {}
            if 'keypoint_info' not in info:
                continue
            where = f'{split}_dataloader.dataset.metainfo'
            fault = _fault_of_info(info) or _fault_of_head(cfg, info)
            if fault:
                raise UserError(f'{where}: {fault}')
            _check_annotations(dataset, len(info['keypoint_info']), where)


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


def _check_annotations(dataset: Mapping[str, Any], count: int, where: str) -> None:
    path = Path(dataset.get('data_root') or '') / dataset.get('ann_file', '')
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return  # said by others
    annotations = content.get('annotations') if isinstance(content, dict) else None
    for annotation in annotations or ():
        values = annotation.get('keypoints')
        if values is not None and len(values) != 3 * count:
            raise UserError(
                f'annotation file {path}: annotation {annotation.get("id")} has '
                f'{len(values)} values of keypoints, and {where} declares {count} '
                f'keypoints, which take {3 * count}'
            )
