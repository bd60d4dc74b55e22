"""What an exported file tells of itself, for programs without any configs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS

from litehrnet_mm.engine.config_file import data_sets, last_decode_head
from litehrnet_mm.engine.options import is_pose, is_segmentation
from litehrnet_mm.version import __version__


def describe(cfg: Config, size: tuple[int, int]) -> dict[str, Any]:
    """Facts about a model, to write into a file.

    Args:
        cfg: Its config.
        size: Height and width of the input, in pixels.

    Returns:
        ``task`` (``'pose'``, ``'segmentation'``, or ``'backbone'`` of what other
        projects run), ``version``, ``input_size`` (height, width), ``mean``, ``std``
        and ``rgb`` (the order of the network's channels); of segmentation ``classes``,
        ``palette`` (RGB), ``resize`` (what the test pipeline does to images: ``scale``,
        (width, height), and ``keep_ratio``; nothing if they stay) and ``threshold`` (of
        a network with one output for two classes, else nothing); of pose
        ``keypoints``, ``skeleton`` (pairs of numbers), ``flip_pairs`` (for each
        keypoint its partner), ``codec``, ``test_cfg``, ``padding`` (of boxes) and
        ``udp`` (how crops are aligned).
    """
    preprocessor = cfg.model.get('data_preprocessor') or {}
    kinds = dict(pose=is_pose(cfg), segmentation=is_segmentation(cfg), backbone=True)
    facts = dict(
        task=next(kind for kind, right in kinds.items() if right),
        version=__version__,
        input_size=list(size),
        mean=list(preprocessor.get('mean') or []),
        std=list(preprocessor.get('std') or []),
        rgb=bool(preprocessor.get('bgr_to_rgb')),
    )
    if facts['task'] == 'backbone':
        return facts
    meta = _meta_of_data(cfg)
    if is_segmentation(cfg):
        for key in ('classes', 'palette'):
            facts[key] = [_plain(value) for value in meta.get(key) or ()]
        return dict(facts, resize=_resizing(cfg), threshold=_threshold(cfg))
    facts.update(
        keypoints=[meta['keypoint_id2name'][k] for k in range(meta['num_keypoints'])],
        skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
        flip_pairs=[int(k) for k in meta['flip_indices']],
        codec=_codec(cfg, size),
        test_cfg=_plain(cfg.model.get('test_cfg') or {}),
        **_cropping(cfg),
    )
    return facts


def _codec(cfg: Config, size: tuple[int, int]) -> dict[str, Any]:
    """The codec, for the size that a file takes."""
    codec = _plain(cfg.model.get('head', {}).get('decoder') or {})
    if 'heatmap_size' in codec:
        ratios = np.divide(codec['input_size'], codec['heatmap_size'])
        sides = np.ceil(np.array(size[::-1]) / ratios)
        codec['heatmap_size'] = [int(side) for side in sides]
    if 'input_size' in codec:
        codec['input_size'] = list(size[::-1])
    return codec


def _resizing(cfg: Config) -> dict[str, Any] | None:
    """What the test pipeline of a segmentation config does to the size of images."""
    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline', ())
    for step in pipeline:
        if step['type'] == 'Resize' and step.get('scale'):
            return dict(
                scale=list(step['scale']), keep_ratio=bool(step.get('keep_ratio'))
            )
    return None


def _threshold(cfg: Config) -> float | None:
    head = last_decode_head(cfg.model)
    if head.get('out_channels') != 1:
        return None
    return 0.3 if head.get('threshold') is None else float(head['threshold'])


def _cropping(cfg: Config) -> dict[str, Any]:
    """How the test pipeline of a pose config cuts out persons."""
    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline', ())
    steps = {step['type']: step for step in pipeline}
    return dict(
        padding=steps.get('GetBBoxCenterScale', {}).get('padding', 1.25),
        udp=bool(steps.get('TopdownAffine', {}).get('use_udp', False)),
    )


def _meta_of_data(cfg: Config) -> Mapping[str, Any]:
    """What is known of the data set that the model was made for."""
    scope = cfg.get('default_scope', 'mmengine')
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    # Of a data set made of others the first is asked.
    *_, dataset = list(data_sets(loader.get('dataset')))[:2] or [{}]
    with DATASETS.switch_scope_and_registry(scope) as registry:
        kind = registry.get(dataset['type'])
    given = dataset.get('metainfo')
    if scope == 'mmpose':
        from mmpose.datasets.datasets.utils import parse_pose_metainfo

        return parse_pose_metainfo(_plain(given or kind.METAINFO))
    return {**kind.METAINFO, **(given or {})}


def _plain(value: Any) -> Any:
    """Without the types of configs."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def to_properties(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts as the strings that ONNX keeps: JSON."""
    return {f'litehrnet_mm.{key}': json.dumps(value) for key, value in facts.items()}
