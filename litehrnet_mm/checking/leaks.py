"""Images that one trains on, and evaluates on as well."""

from __future__ import annotations

from collections.abc import Sequence

from litehrnet_mm.checking.inspection import Inspection
from litehrnet_mm.values import shown

TRAIN = 'train'


def find_leaks(inspections: Sequence[Inspection]) -> None:
    """Add to training sets what others have of them, by place and by content.

    A name alone proves nothing: different images of one name in two folders are noted.
    """
    learned = [x for x in inspections if TRAIN in x.splits]
    judged = [x for x in inspections if TRAIN not in x.splits]
    for mine in learned:
        for other in judged:
            _compare(mine, other)


def _compare(mine: Inspection, other: Inspection) -> None:
    by_digest = {digest: path for path, digest in other.files.items()}
    names = {path.name for path in other.files}
    for path, digest in mine.files.items():
        twin = path if path in other.files else by_digest.get(digest)
        if twin is not None:
            place = shown(str(path), 200)
            where = '' if twin == path else f' as {shown(str(twin), 200)}'
            mine.findings.add('leak', place, f'in {other.name}{where}')
            mine.leaked.add(path)
        elif path.name in names:
            mine.findings.add('name-shared', shown(str(path), 200), f'in {other.name}')
