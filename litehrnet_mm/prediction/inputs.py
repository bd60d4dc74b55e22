"""Whether what a user gave goes together."""

from __future__ import annotations

from collections.abc import Sequence

from litehrnet_mm.cli import UserError, warn_user
from litehrnet_mm.prediction.boxes import Boxes, FileBoxes
from litehrnet_mm.prediction.sources import Film, Pictures, Source


def check_boxes(boxes: Boxes, sources: Sequence[Source]) -> None:
    """Compare a file of boxes with what is predicted on.

    Raises:
        UserError: If they have nothing to do with each other.
    """
    if not isinstance(boxes, FileBoxes):
        return
    for source in sources:
        if isinstance(source, Film):
            raise UserError(
                f'--boxes are for pictures, and {source.source} is a film: leave it '
                'out, or use --box or --detector'
            )
    names = [name for source in sources for name in source.names]
    unknown = [name for name in names if not boxes.knows(name)]
    if len(unknown) == len(names):
        raise UserError(
            f'{boxes.path} is about none of the pictures, such as {names[0]}: they are '
            'found by file_name, or by the number that their name is'
        )
    if unknown:
        warn_user(
            f'{boxes.path} is not about {len(unknown)} of the {len(names)} '
            f'pictures, where no persons are found then; the first is {unknown[0]}'
        )


def report_damaged(sources: Sequence[Source]) -> None:
    """Name the pictures that could not be read.

    Raises:
        UserError: If there are any.
    """
    faults = [
        fault
        for source in sources
        if isinstance(source, Pictures)
        for fault in source.damaged
    ]
    for fault in faults[:-1]:
        warn_user(fault)
    if len(faults) > 1:
        raise UserError(f'{len(faults)} pictures left out, the last: {faults[-1]}')
    if faults:
        raise UserError(faults[0])
