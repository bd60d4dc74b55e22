"""What a pixel can be: ids and colours as Cityscapes defines them."""

from __future__ import annotations

import numpy as np

TABLE = (
    ('road', 7, (128, 64, 128)),
    ('sidewalk', 8, (244, 35, 232)),
    ('building', 11, (70, 70, 70)),
    ('wall', 12, (102, 102, 156)),
    ('fence', 13, (190, 153, 153)),
    ('pole', 17, (153, 153, 153)),
    ('traffic light', 19, (250, 170, 30)),
    ('traffic sign', 20, (220, 220, 0)),
    ('vegetation', 21, (107, 142, 35)),
    ('terrain', 22, (152, 251, 152)),
    ('sky', 23, (70, 130, 180)),
    ('person', 24, (220, 20, 60)),
    ('rider', 25, (255, 0, 0)),
    ('car', 26, (0, 0, 142)),
    ('truck', 27, (0, 0, 70)),
    ('bus', 28, (0, 60, 100)),
    ('train', 31, (0, 80, 100)),
    ('motorcycle', 32, (0, 0, 230)),
    ('bicycle', 33, (119, 11, 32)),
)
"""Name, label id and RGB colour of the classes that are evaluated, by train id."""

CLASSES = tuple(name for name, _, _ in TABLE)
PALETTE = np.array([colour for _, _, colour in TABLE], np.uint8)
"""RGB by train id, shape (19, 3)."""

IGNORED = 255
"""Train id of all that is not evaluated."""

IDS = {name: label for name, label, _ in TABLE}
IDS.update({'ego vehicle': 1, 'static': 4, 'rail track': 10})
"""Label id by name, of what the scenes hold."""

_TO_TRAIN_ID = np.full(256, IGNORED, np.uint8)
_TO_TRAIN_ID[[label for _, label, _ in TABLE]] = np.arange(len(TABLE))


def to_train_ids(label_ids: np.ndarray) -> np.ndarray:
    """Turn label ids, uint8, into train ids of the same shape, uint8."""
    return _TO_TRAIN_ID[label_ids]


def colourise(train_ids: np.ndarray) -> np.ndarray:
    """Picture of train ids (H, W): BGR uint8 of shape (H, W, 3), black if ignored."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(PALETTE)] = PALETTE[:, ::-1]
    return table[train_ids]
