"""What an exported file tells of itself: read, and each part looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from litehrnet_mm.values import is_number, listed, shown

PREFIX = 'litehrnet_mm.'
FACTS = dict(
    pose=(
        *('task', 'input_size', 'mean', 'std', 'rgb', 'keypoints', 'skeleton'),
        *('flip_pairs', 'codec', 'test_cfg', 'padding', 'udp'),
    ),
    backbone=('task', 'input_size', 'mean', 'std', 'rgb'),
    segmentation=(
        *('task', 'input_size', 'mean', 'std', 'rgb', 'classes', 'palette'),
        *('resize', 'threshold'),
    ),
)
"""What a file has to tell of itself, by its task."""
MOST_LETTERS = 2**20
"""Of all metadata of ours in a file, a thousand times what they have; decoded, JSON can
take thirty times its letters."""
MOST_PIXELS = 2**25
"""Of an input; what is larger is a mistake."""
LEAST_STD = 1e-9
"""Of what images are divided by; in float32 the result of less can be infinite."""


def read_facts(properties: Mapping[str, str], path: Any) -> dict[str, Any]:
    """Read a file's metadata.

    Args:
        properties: As ONNX keeps them.
        path: The file, for messages.

    Raises:
        ValueError: If something is missing, or is nothing that can be.
    """
    told = {key: x for key, x in properties.items() if key.startswith(PREFIX)}
    if sum(map(len, told.values())) > MOST_LETTERS:
        raise ValueError(
            f'{path}: its metadata is damaged: it has more than {MOST_LETTERS:,} '
            'letters'
        )
    try:
        facts = {key.removeprefix(PREFIX): json.loads(x) for key, x in told.items()}
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: its metadata is damaged: {error}') from error
    task = facts.get('task')
    known = isinstance(task, str) and task in FACTS
    lacking = [key for key in FACTS[task] if key not in facts] if known else [task]
    if lacking:
        raise ValueError(
            f'{path} does not tell what it is ({listed(lacking)}): write it with '
            'tools/export_onnx.py of this version'
        )
    for key in FACTS[task]:
        if not _CHECKS[key](facts[key]) or not _fits(key, facts):
            raise ValueError(
                f'{path}: its metadata is damaged: {key} is {shown(facts[key])}'
            )
    return facts


def _fits(key: str, facts: Mapping[str, Any]) -> bool:
    """Whether a fact, by itself sound, fits those before it."""
    if key == 'std':
        return not facts['std'] or len(facts['std']) == len(facts['mean'])
    if key == 'skeleton':
        count = len(facts['keypoints'])
        return all(max(pair) < count for pair in facts['skeleton'])
    if key == 'flip_pairs':
        return sorted(facts['flip_pairs']) == list(range(len(facts['keypoints'])))
    if key == 'palette':
        return len(facts['palette']) == len(facts['classes'])
    return True


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_size(value: Any) -> bool:
    return _are(value, _is_count, (2,)) and 1 <= math.prod(value) <= MOST_PIXELS


def _are(value: Any, check: Any, lengths: tuple[int, ...] | None = None) -> bool:
    """Whether a value is a list whose items pass a check, of one of some lengths."""
    right = isinstance(value, list) and (lengths is None or len(value) in lengths)
    return right and all(map(check, value))


def _is_resize(value: Any) -> bool:
    if value is None:
        return True
    keys = {'scale', 'keep_ratio'}
    right = isinstance(value, dict) and value.keys() == keys
    return right and _is_size(value['scale']) and type(value['keep_ratio']) is bool


def _is_codec(value: Any) -> bool:
    """Of the parts that are used here; there may be others."""
    sizes = ('input_size', 'heatmap_size')
    return (
        isinstance(value, dict)
        and isinstance(value.get('type'), str)
        and all(_is_size(value[key]) for key in sizes if key in value)
        and is_number(value.get('simcc_split_ratio', 2.0))
        and value.get('simcc_split_ratio', 2.0) > 0
        and _is_count(value.get('blur_kernel_size', 11))
        and value.get('blur_kernel_size', 11) % 2 == 1
        and value.get('blur_kernel_size', 11) < 1000
    )


_CHECKS = dict(
    task=lambda value: True,
    input_size=_is_size,
    mean=lambda value: _are(value, is_number, (0, 1, 3)),
    std=lambda value: _are(value, lambda x: is_number(x) and x >= LEAST_STD, (0, 1, 3)),
    rgb=lambda value: type(value) is bool,
    keypoints=lambda value: _are(value, lambda x: isinstance(x, str)) and value,
    skeleton=lambda value: _are(value, lambda x: _are(x, _is_count, (2,))),
    flip_pairs=lambda value: _are(value, _is_count),
    codec=_is_codec,
    test_cfg=lambda value: isinstance(value, dict),
    padding=lambda value: is_number(value) and 0 < value < 100,
    udp=lambda value: type(value) is bool,
    classes=lambda value: _are(value, lambda x: isinstance(x, str)) and value,
    palette=lambda value: _are(value, lambda x: _are(x, _is_count, (3,))),
    resize=_is_resize,
    threshold=lambda value: value is None or (is_number(value) and 0 < value < 1),
)
