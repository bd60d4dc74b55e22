"""What is there of a data set and what is missing, split by split."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

NAMES = ('train', 'val', 'test')
KEPT = 'there already'


@dataclass(frozen=True)
class Split:
    """The frames of one split, by name.

    Attributes:
        name: ``train``, ``val`` or ``test``.
        images: Frames with an image.
        labels: Frames with a label map that can be used.
        official: Number of frames in the whole set.
        labelled: Whether the annotations of this split are public.
    """

    name: str
    images: frozenset[str]
    labels: frozenset[str]
    official: int
    labelled: bool = True

    @property
    def usable(self) -> frozenset[str]:
        """Frames with all that the split has."""
        return self.images & self.labels if self.labelled else self.images

    def describe(self) -> list[str]:
        """A line of counts, and one each for images and label maps that are alone."""
        counts = f'{self.name:5} {len(self.images):5} images'
        if not self.labelled:
            return [f'{counts}, annotations not public (whole set: {self.official})']
        lines = [f'{counts}, {len(self.usable)} labelled (whole set: {self.official})']
        for kind, names in (
            ('images without label map', self.images - self.labels),
            ('label maps without image', self.labels - self.images),
        ):
            if names:
                lines.append(f'      {len(names)} {kind}: {first(names)}')
        return lines


def first(names: Collection[str], count: int = 5) -> str:
    """The first names in order, and how many more there are."""
    shown = ', '.join(sorted(names)[:count])
    more = len(names) - count
    return f'{shown} and {more} more' if more > 0 else shown


def describe(splits: Sequence[Split]) -> str:
    """Counts of each split, and whether that is the whole set."""
    lines = [line for split in splits for line in split.describe()]
    short = [x.name for x in splits if len(x.usable) < x.official]
    whole = f'not the whole set: {", ".join(short)} short' if short else 'the whole set'
    return '\n'.join([*lines, f'This is {whole}.'])
