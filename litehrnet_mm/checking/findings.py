"""What was found in a data set: kinds, counts and examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from litehrnet_mm.values import printable

KEPT = 100_000
"""Findings of a kind that are kept; the others are only counted."""

ERROR, WARNING, NOTE = LEVELS = ('error', 'warning', 'note')

KINDS = {
    'empty': (ERROR, 'nothing to train or evaluate on'),
    'image-missing': (ERROR, 'image files that do not exist'),
    'image-unreadable': (ERROR, 'images that cannot be decoded'),
    'image-size': (ERROR, 'images of another size than the annotations say'),
    'image-entry': (ERROR, 'images with wrong values in the annotation file'),
    'image-id': (ERROR, 'images whose id another image has'),
    'annotation-entry': (ERROR, 'annotations with wrong or missing values'),
    'annotation-id': (ERROR, 'annotations whose id another annotation has'),
    'annotation-image': (ERROR, 'annotations of images that the file does not have'),
    'category-entry': (ERROR, 'categories with wrong values'),
    'category-id': (ERROR, 'annotations of categories that the file does not have'),
    'box-value': (ERROR, 'boxes that are not four numbers'),
    'box-empty': (ERROR, 'boxes of no area'),
    'box-outside': (ERROR, 'boxes with nothing in the image'),
    'keypoint-value': (ERROR, 'keypoints that are not numbers'),
    'keypoint-count': (ERROR, 'annotations with another number of keypoints'),
    'keypoint-visibility': (ERROR, 'keypoints whose visibility is not 0, 1 or 2'),
    'keypoint-outside': (ERROR, 'labelled keypoints outside the image'),
    'num-keypoints': (ERROR, 'annotations whose num_keypoints is wrong'),
    'keypoint-order': (ERROR, 'keypoints in another order than the config has'),
    'flip-pair': (ERROR, 'keypoints that swap with the wrong one in a mirrored image'),
    'leak': (ERROR, 'images to train on that are also evaluated on'),
    'mask-missing': (ERROR, 'images without a mask'),
    'mask-unreadable': (ERROR, 'masks that cannot be decoded'),
    'mask-size': (ERROR, 'masks of another size than their image'),
    'mask-colour': (ERROR, 'masks that are colour pictures'),
    'mask-depth': (ERROR, 'masks with values beyond 8 bits'),
    'mask-values': (ERROR, 'masks with values that are no class and not ignored'),
    'image-twice': (WARNING, 'images listed twice, under two ids'),
    'image-outside': (WARNING, 'images that are not in the folder of images'),
    'id-zero': (WARNING, "annotations with the id 0, which COCO's evaluation misses"),
    'not-evaluated': (WARNING, "annotations without what COCO's evaluation needs"),
    'no-keypoints': (
        WARNING,
        'annotations without box or keypoints, left out by MMPose',
    ),
    'box-beyond': (WARNING, 'boxes that reach beyond the image; MMPose cuts them'),
    'segmentation': (WARNING, 'segmentations that are no polygons and no run lengths'),
    'keypoint-off-box': (WARNING, 'visible keypoints far outside the box'),
    'keypoint-corner': (WARNING, 'keypoints labelled at (0, 0), the corner'),
    'keypoint-unflagged': (WARNING, 'keypoints with coordinates, but visibility 0'),
    'keypoint-names': (WARNING, 'names of keypoints that do not fit'),
    'sides': (WARNING, 'left and right probably swapped'),
    'mask-alone': (WARNING, 'masks without an image'),
    'mask-ignored': (WARNING, 'masks in which every pixel is ignored'),
    'class-unseen': (WARNING, 'classes that no mask has'),
    'image-bare': (NOTE, 'images without annotations'),
    'crowd-only': (NOTE, 'images with crowds only'),
    'unlabelled': (NOTE, 'annotations without a labelled keypoint'),
    'name-shared': (NOTE, 'names of files that other images in another split have'),
    'form': (NOTE, 'not looked into'),
}
"""Each kind's level and heading. An error stops a run, spoils what it learns or
measures, or silently takes data from it; a warning may be meant; a note is a fact."""


@dataclass(frozen=True)
class Finding:
    """One place where something is found.

    Attributes:
        kind: One of ``KINDS``.
        place: File or entry.
        value: What is there.
    """

    kind: str
    place: str
    value: str = ''

    @property
    def level(self) -> str:
        """``'error'``, ``'warning'`` or ``'note'``."""
        return KINDS[self.kind][0]

    def __str__(self) -> str:
        text = f'{self.place}: {self.value}' if self.value else self.place
        return printable(text)  # names of files may hold line breaks


@dataclass
class Findings:
    """All that was found in one set.

    Attributes:
        items: In the order of the set, of each kind the first ``KEPT``.
        counts: Of all, by kind.
    """

    items: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, place: str, value: str = '') -> None:
        """Add one."""
        self.counts[kind] += 1
        if self.counts[kind] <= KEPT:
            self.items.append(Finding(kind, place, value))

    def of(self, kind: str) -> list[Finding]:
        """Those of a kind that are kept."""
        return [item for item in self.items if item.kind == kind]

    def count(self, level: str) -> int:
        """How many there are of a level."""
        return sum(n for kind, n in self.counts.items() if KINDS[kind][0] == level)

    def as_text(self, shown: int) -> str:
        """Each kind with its count and first examples, errors first.

        Args:
            shown: Number of examples of a kind.
        """
        lines = []
        for level in LEVELS:
            kinds = [kind for kind in KINDS if KINDS[kind][0] == level]
            for kind in filter(self.counts.get, kinds):
                count, found = self.counts[kind], self.of(kind)
                lines.append(f'{level}: {KINDS[kind][1]}: {count}')
                examples = 0 if level == NOTE and count > 1 else shown
                lines += [f'    {item}' for item in found[:examples]]
                if 0 < examples < count:
                    lines.append(f'    ... and {count - len(found[:examples])} more')
        return '\n'.join(lines)

    def as_json(self) -> list[dict[str, str]]:
        """For a report."""
        return [
            dict(level=x.level, kind=x.kind, place=x.place, value=x.value)
            for x in self.items
        ]
