"""Keypoints of one annotation, and the names of keypoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.values import are_numbers, listed, shown

SLACK = 1.0
"""Pixels that coordinates may lie outside an image: annotations are rounded."""

PADDING = 0.125
"""Part of a box's sides that MMPose adds on each side of it (padding=1.25)."""

SIDES = (('left', 'right'), ('Left', 'Right'), ('LEFT', 'RIGHT'))


@dataclass(frozen=True)
class Keypoints:
    """The keypoints that a config or a category has.

    Attributes:
        names: In order.
        partners: Of each the number of that which takes its place in a mirrored image;
            its own if there is none.
    """

    names: tuple[str, ...]
    partners: tuple[int, ...]

    @classmethod
    def by_names(cls, names: Sequence[str]) -> Keypoints:
        """Keypoints whose partners follow from ``left`` and ``right`` in the names."""
        numbers = {name: index for index, name in enumerate(names)}
        partners = [numbers.get(mirrored(name), k) for k, name in enumerate(names)]
        return cls(tuple(names), tuple(partners))

    @classmethod
    def of_dataset(cls, meta: Mapping[str, Any]) -> Keypoints:
        """Keypoints of a data set of MMPose."""
        names = meta['keypoint_id2name']
        ordered = tuple(names[index] for index in sorted(names))
        return cls(ordered, tuple(meta['flip_indices']))


def mirrored(name: str) -> str:
    """A name with left for right, or right for left; without either itself."""
    for left, right in SIDES:
        for here, there in ((left, right), (right, left)):
            if here in name:
                return name.replace(here, there, 1)
    return name


def same_name(name: str) -> str:
    """A name without what different writers write differently: ``Left-Eye``."""
    return ''.join(filter(str.isalnum, name.lower()))


def check_names(findings: Findings, place: str, wanted: Keypoints) -> None:
    """Check that names that have sides have partners, and swap with them."""
    known = set(wanted.names)
    for name, partner in zip(wanted.names, wanted.partners):
        other = mirrored(name)
        if other == name:
            continue
        if other not in known:
            text = f'{shown(name)} has no partner {shown(other)}'
            findings.add('keypoint-names', place, text)
        elif wanted.names[partner] != other:
            name, swap, other = map(shown, (name, wanted.names[partner], other))
            findings.add('flip-pair', place, f'{name} swaps with {swap}, not {other}')


def compare_names(
    findings: Findings, place: str, found: Sequence[str], wanted: Sequence[str]
) -> None:
    """Compare the names of a category with those of a config, in order."""
    mine, theirs = [same_name(x) for x in found], [same_name(x) for x in wanted]
    if mine == theirs:
        return
    if sorted(mine) == sorted(theirs):
        first = next(i for i, name in enumerate(mine) if name != theirs[i])
        text = f'keypoint {first} is {shown(found[first])}, in the config '
        text += shown(wanted[first])
        findings.add('keypoint-order', place, text)
    else:
        text = f'{len(found)} keypoints ({listed(found)}), in the config {len(wanted)}'
        findings.add('keypoint-names', place, f'{text} ({listed(wanted)})')


def count_fault(values: Sequence[Any], count: int) -> str | None:
    """That there are too many or too few values for so many keypoints."""
    if len(values) == 3 * count:
        return None
    return (
        f'has {len(values)} values of keypoints, and {count} keypoints take {3 * count}'
    )


def keypoint_faults(
    annotation: Mapping[str, Any],
    names: Sequence[str],
    size: tuple[int, int] | None,
    box: Sequence[float] | None,
) -> Iterator[tuple[str, str]]:
    """What is wrong with the keypoints of an annotation.

    Args:
        annotation: It has ``keypoints``.
        names: Of the keypoints.
        size: Width and height of the image, if they are known.
        box: x, y, width and height, if they are right.

    Yields:
        A kind of finding, and the value.
    """
    values = annotation['keypoints']
    if not are_numbers(values):
        yield 'keypoint-value', shown(values)
        return
    if not names:  # its category is unknown, which is another fault
        return
    fault = count_fault(values, len(names))
    if fault:
        yield 'keypoint-count', fault
        return
    points = np.array(values, float).reshape(-1, 3)
    for kind, wrong in _wrong_points(points, size, box):
        for index in np.flatnonzero(wrong):
            yield kind, _describe(names[index], points[index], size)
    labelled = int((points[:, 2] > 0).sum())
    number = annotation.get('num_keypoints', labelled)
    if not labelled:
        yield 'unlabelled', ''
    if isinstance(number, bool) or number != labelled:
        yield 'num-keypoints', f'{shown(number)}, and {labelled} are labelled'


def _wrong_points(
    points: np.ndarray, size: tuple[int, int] | None, box: Sequence[float] | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Kinds of findings, and of which keypoints (K,) they are true."""
    xy, visibility = points[:, :2], points[:, 2]
    labelled, somewhere = visibility > 0, (xy != 0).any(1)
    yield 'keypoint-visibility', ~np.isin(visibility, (0, 1, 2))
    yield 'keypoint-corner', labelled & ~somewhere
    yield 'keypoint-unflagged', (visibility == 0) & somewhere
    if size is not None:
        yield 'keypoint-outside', labelled & outside(xy, (0, 0), size, SLACK)
    if box is not None:
        corner, sides = np.array(box[:2]), np.array(box[2:])
        off = outside(xy, corner, corner + sides, PADDING * sides + SLACK)
        # Hidden ones may be anywhere: many boxes enclose what is seen.
        yield 'keypoint-off-box', (visibility == 2) & off & somewhere


def outside(
    xy: np.ndarray,
    least: Sequence[float],
    most: Sequence[float],
    slack: np.ndarray | float,
) -> np.ndarray:
    """Which points (K, 2) lie outside a rectangle: boolean (K,)."""
    return ((xy < least - np.asarray(slack)) | (xy > most + np.asarray(slack))).any(1)


def _describe(name: str, point: np.ndarray, size: tuple[int, int] | None) -> str:
    x, y, visibility = point
    text = f'{shown(name)} at ({x:g}, {y:g}), visibility {visibility:g}'
    return f'{text}, image {size[0]}x{size[1]}' if size else text
