"""Pictures of a segmentation sample: the image and what the network sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from litehrnet_mm.browsing.samples import Sample
from litehrnet_mm.browsing.views import View, describe
from litehrnet_mm.engine.mask_loading import CheckedLoading
from litehrnet_mm.visualization import read_image
from litehrnet_mm.visualization.key import colour_swatch
from litehrnet_mm.visualization.labels import draw_labels, hatch
from litehrnet_mm.visualization.pictures import add_caption, fit_into


class MaskViews:
    """Pictures of samples of a segmentation data set.

    Args:
        meta: The data set's ``metainfo``, with ``classes`` and ``palette``.

    Attributes:
        key: The classes, and after them pixels that are ignored.
    """

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self.palette = meta['palette']
        self.key = list(zip(meta['classes'], map(colour_swatch, self.palette)))
        ignored = colour_swatch((255, 255, 255))
        ignored[5:-5, 5:-5] = hatch(ignored[5:-5, 5:-5])
        self.key.append(('ignored', ignored))

    def original(self, sample: Sample, size: tuple[int, int]) -> list[View]:
        """The image under its mask.

        Args:
            sample: Of the data set.
            size: Width and height that the picture is to fit into, in pixels.
        """
        path = sample.info['img_path']
        image = read_image(path)
        mask = _load_mask(sample, image.shape[:2])
        caption = Path(path).name + (', no mask' if mask is None else '')
        return [self._draw(image, mask, size, caption)]

    def transformed(self, sample: Sample, size: tuple[int, int]) -> list[View]:
        """What the network sees, and the same under its mask.

        Args:
            sample: Of the data set.
            size: Width and height that each picture is to fit into, in pixels.
        """
        views = [self._draw(sample.image, None, size, describe(sample))]
        if 'gt_sem_seg' in sample.data:
            mask = sample.data.gt_sem_seg.data[0].numpy()
            views.append(self._draw(sample.image, mask, size, 'mask'))
        return views

    def _draw(
        self,
        image: np.ndarray,
        mask: np.ndarray | None,
        size: tuple[int, int],
        caption: str,
    ) -> View:
        """An image under a mask, hatched where that has no class."""
        image, _ = fit_into(image, size)
        shown: set[int] = set()
        if mask is not None:
            classes = len(self.key) - 1
            mask = np.where((mask >= 0) & (mask < classes), mask, 255).astype(np.uint8)
            shown = {min(int(value), classes) for value in np.unique(mask)}
            # A mask for evaluation has the size of the file, not that of the input.
            shape = image.shape[1::-1]
            mask = cv2.resize(mask, shape, interpolation=cv2.INTER_NEAREST)
            image = draw_labels(image, mask, self.palette)
            ignored = mask == 255
            image[ignored] = hatch(image)[ignored]
        return View(add_caption(image, caption), shown)


def _load_mask(sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
    """The mask of an image of this height and width, if its pipeline loads one."""
    for transform in sample.transforms:
        if isinstance(transform, CheckedLoading):
            return transform(dict(sample.info, ori_shape=size))['gt_seg_map']
    return None
