"""How MMSegmentation loads a mask in a pipeline: found, checked, left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
from mmengine.registry import TRANSFORMS

from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.engine.mask_files import (
    check_sums,
    colour_fault,
    not_found_fault,
    size_fault,
    unreadable_fault,
)


@dataclass(frozen=True)
class Labels:
    """Which values a mask may have once it is loaded.

    Attributes:
        classes: Number of classes, numbered from 0.
        ignored: The value of pixels that do not count.
    """

    classes: int
    ignored: int

    def wrong(self, mask: np.ndarray) -> np.ndarray:
        """Where a mask has a value that it may not have: boolean, ``(H, W)``."""
        return (mask >= self.classes) & (mask != self.ignored)

    def fault(self, mask: np.ndarray) -> str | None:
        """What is wrong with the values of a mask, if anything is."""
        values = [str(value) for value in np.unique(mask[self.wrong(mask)])]
        if not values:
            return None
        more = f' and {len(values) - 5} more' if len(values) > 5 else ''
        return (
            f'has the value {", ".join(values[:5])}{more}: no class (0 to '
            f'{self.classes - 1}) and not {self.ignored} (ignored)'
        )


class CheckedLoading:
    """MMSegmentation's loading of a mask, with faults named.

    Args:
        load: The transform that loads.
        labels: What it should find.
    """

    def __init__(self, load: Callable[[dict], dict], labels: Labels) -> None:
        self.load = load
        self.labels = labels

    def __call__(self, results: dict) -> dict:
        """Load, and check size and values.

        Raises:
            UserError: If the mask cannot be read, or does not fit.
        """
        results = self.read(results)
        fault = self.labels.fault(results['gt_seg_map'])
        if fault:
            raise UserError(f'mask {results["seg_map_path"]} {fault}', 'mask-values')
        return results

    def read(self, results: dict) -> dict:
        """Load, and check the size, whatever the values.

        Raises:
            UserError: If the mask cannot be read, or its size does not fit.
        """
        path = results['seg_map_path']
        try:
            check_sums(path)
            results = self.load(results)
        except UserError:
            raise
        except FileNotFoundError as error:
            raise not_found_fault(path, results['img_path']) from error
        except Exception as error:  # decoders have their own
            raise unreadable_fault('mask', path, one_line(error)) from error
        mask, size = results['gt_seg_map'], tuple(results['ori_shape'][:2])
        if mask.ndim != 2:
            raise colour_fault(path)
        if mask.shape != size:
            raise size_fault(path, mask.shape, results['img_path'], size)
        return results


def find_loading(node: Any) -> dict | None:
    """The transform of a pipeline that loads masks, perhaps within another."""
    if _is_loading(node):
        return dict(node)
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        return next((x for x in map(find_loading, node) if x is not None), None)
    return None


def with_checked_loading(node: Any, labels: Labels) -> Any:
    """A part of a config with its loading of masks replaced by checked loading."""
    return _replace(
        node, lambda load: CheckedLoading(TRANSFORMS.build(dict(load)), labels)
    )


def without_loading(node: Any) -> Any:
    """A part of a config without its loading of masks, nor what that leaves empty."""
    return _replace(node, lambda load: None)


def _replace(node: Any, make: Callable[[dict], Any]) -> Any:
    if _is_loading(node):
        return make(node)
    if isinstance(node, dict):
        return type(node)({key: _replace(value, make) for key, value in node.items()})
    if isinstance(node, (list, tuple)):
        pairs = [(item, _replace(item, make)) for item in node]
        return type(node)(new for old, new in pairs if new or not old)
    return node


def _is_loading(node: Any) -> bool:
    return isinstance(node, dict) and str(node.get('type')).endswith('LoadAnnotations')
