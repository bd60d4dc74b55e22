"""Small data sets in the layout of the real ones, made of a few real street scenes.

Cityscapes and CamVid are real. ADE20K and a data set of one's own get CamVid's frames,
with as many classes as they should have.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

VOID = 11  # of CamVid

# Label ids of Cityscapes in the order of the 19 train ids, from its list of classes.
LABEL_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]


def make_roots(data: Path, folder: Path) -> dict[str, str]:
    """Lay the data sets out.

    Args:
        data: The folder of the real data.
        folder: Where to make them.

    Returns:
        For each environment variable the folder that it is to name.
    """
    frames = {
        split: sorted((data / 'camvid_mini/images' / split).glob('*.png'))[:2]
        for split in ('train', 'val')
    }
    roots = {name: folder / name for name in ('cityscapes', 'camvid', 'ade', 'custom')}
    _make_cityscapes(data / 'cityscapes_sample', roots['cityscapes'])
    for split, paths in frames.items():
        ade = 'training' if split == 'train' else 'validation'
        for path in paths:
            image = cv2.imread(str(path))
            labels = cv2.imread(_label_path(path), cv2.IMREAD_UNCHANGED)
            name = path.stem
            _write(roots['camvid'] / f'images/{split}/{name}.png', image)
            _write(roots['camvid'] / f'labels/{split}/{name}.png', labels)
            _write(roots['ade'] / f'images/{ade}/{name}.jpg', image)
            # In ADE20K 0 is void, and class k is k + 1.
            known = np.where(labels == VOID, 0, labels * 13 + 1)
            _write(roots['ade'] / f'annotations/{ade}/{name}.png', known)
            _write(roots['custom'] / f'images/{split}/{name}.jpg', image)
            own = np.where(labels == VOID, 255, labels % 3)
            _write(roots['custom'] / f'labels/{split}/{name}.png', own)
    names = dict(
        cityscapes='CITYSCAPES', camvid='CAMVID', ade='ADE20K', custom='CUSTOM'
    )
    return {f'{names[key]}_ROOT': str(root) for key, root in roots.items()}


def _make_cityscapes(sample: Path, root: Path) -> None:
    """The one frame serves as training, validation and test set."""
    (found,) = {path.parents[1] for path in sample.rglob('*_leftImg8bit.png')}
    for split in ('train', 'val', 'test'):
        shutil.copytree(found, root / 'leftImg8bit' / split)
        truth = Path(str(found).replace('leftImg8bit', 'gtFine'))
        shutil.copytree(truth, root / 'gtFine' / split)


def _label_path(image: Path) -> str:
    return str(image).replace('/images/', '/labels/')


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image.astype(np.uint8))
