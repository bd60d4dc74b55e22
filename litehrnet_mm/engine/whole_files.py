"""Finding the newest whole checkpoint of a run."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Callable

from litehrnet_mm.checkpoints.archives import check_archive
from litehrnet_mm.checkpoints.files import is_local, read_checkpoint
from litehrnet_mm.checkpoints.pickles import HarmfulError
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.storing import drop_part, name_part, part_of
from litehrnet_mm.writing import PART

LAST = 'last_checkpoint'
"""The file of a work folder in which MMEngine names its newest checkpoint."""
NAMES = ('iter_{}.pth', 'epoch_{}.pth')
"""Of checkpoints, where ``filename_tmpl`` says no other; at SIGTERM also then."""


def is_whole(path: Path) -> bool:
    """Whether a file is a PyTorch checkpoint in which no byte is lost or changed."""
    try:
        check_archive(path)
    except HarmfulError:
        return False
    return True


def newest_checkpoint(
    folder: Path,
    usable: Callable[[Path], bool] = is_whole,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Path | None, list[Path]]:
    """The checkpoint of a work folder to go on from.

    Args:
        folder: Of a run.
        usable: Whether a checkpoint will do.
        settings: Those of the run's checkpoint hook, which tell where else checkpoints
            are, and under which names. Without ``out_dir`` that is known only from what
            is named as the last.

    Returns:
        The one that is named there as the last, or else that of the most iterations;
        the first that will do, ``None`` if none does. And those that were passed over.
    """
    passed = []
    for path in _candidates(folder, settings or {}):
        if usable(path):
            return path, passed
        passed.append(path)
    return None, passed


def drop_parts(folder: Path, template: str) -> None:
    """Remove what ended runs had begun to write of checkpoints.

    Args:
        folder: For checkpoints.
        template: What the hook calls them: its ``filename_tmpl``.
    """
    for part in _files_in(folder):
        whole = part.with_suffix('')
        if part.suffix == PART and _may_be_checkpoint(whole.name, template):
            drop_part(whole)


def settle_last(folder: Path) -> None:
    """Finish naming the last checkpoint, or undo it, where an ended run had begun to.

    It had the checkpoint's name on the disk before the checkpoint had it.
    """
    last = folder / LAST
    begun = _begun(last)
    if begun is not None and is_whole(begun):
        name_part(last)
    else:
        drop_part(last)


def named_last(folder: Path) -> str | None:
    """What a work folder names as its last checkpoint, if it does."""
    try:
        return (folder / LAST).read_text(encoding='utf-8').strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _candidates(folder: Path, settings: Mapping[str, Any]) -> Iterator[Path]:
    """Each checkpoint of a run, the one to go on from first."""
    # A run that was killed between the two names knew which was to be the last.
    named = (_begun(folder / LAST), _named_in(folder / LAST))
    known = set()
    for path in chain(filter(None, named), _numbered(folder, settings)):
        if (real := os.path.realpath(path)) not in known:
            known.add(real)
            yield path


def _numbered(folder: Path, settings: Mapping[str, Any]) -> Iterator[Path]:
    """Those whose names have a number, from that of the most iterations on."""
    template = settings.get('filename_tmpl') or NAMES[0]
    forms = [re.compile(_form(name)) for name in dict.fromkeys([*NAMES, template])]
    kinds: list[dict[Path, tuple[int, ...]]] = [{} for _ in forms]
    for place in _places(folder, settings.get('out_dir'), template):
        for path in _files_in(place):
            for form, kind in zip(forms, kinds):
                if found := form.fullmatch(path.name):
                    kind[path] = tuple(map(int, found.groups()))
    yield from _merged([sorted(kind, key=kind.get) for kind in kinds])


def _form(name: str) -> str:
    """A pattern for the names that a template such as ``epoch_{}.pth`` gives."""
    return r'(\d+)'.join(map(re.escape, re.split(r'\{[^{}]*\}', name)))


def _may_be_checkpoint(name: str, template: str) -> bool:
    """Whether a file is called ``*.pth``, or as the hook's ``filename_tmpl`` says.

    The best ones have names of the latter kind, too.
    """
    form = f'(best_.+_)?{_form(template)}'
    return name.endswith('.pth') or bool(re.fullmatch(form, name))


def _places(folder: Path, out_dir: str | None, template: str) -> Iterator[Path]:
    """The folders in which checkpoints of a run may be."""
    yield folder
    own = os.path.basename(os.path.abspath(folder))
    if out_dir is not None and is_local(str(out_dir)):
        yield Path(out_dir, own)
    for named in map(_read_name, (part_of(folder / LAST), folder / LAST)):
        if named is None or named.parent == Path():
            continue
        if not _may_be_checkpoint(named.name, template):
            continue
        # Not that of another run, whose folder was copied, or this one's former name.
        moved = out_dir is not None and named.parent.name != own
        if not moved and not _is_of_another(named, folder):
            yield named.parent


def _is_of_another(named: Path, folder: Path) -> bool:
    """Whether what is named as the last is in the work folder of another run."""
    try:
        return named.parent != folder and (named.parent / LAST).is_file()
    except (OSError, ValueError):  # of a name that no folder can have
        return False


def _files_in(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except (OSError, ValueError):  # of a name that no folder can have
        return []


def _read_name(file: Path) -> Path | None:
    """The path that a file holds, of whatever."""
    try:
        return Path(file.read_text(encoding='utf-8').strip())
    except (OSError, UnicodeDecodeError):
        return None


def _begun(last: Path) -> Path | None:
    """The checkpoint that a run was about to name as the last when it was killed.

    It is newer than what was named before; else it is one of the same name that an
    earlier run had left, and that was to be replaced.
    """
    part = part_of(last)
    found = _named_in(part)
    try:
        before = last if last.is_file() else part
        new = found and found.stat().st_mtime_ns >= before.stat().st_mtime_ns
    except OSError:
        return None
    return found if new else None


def _named_in(file: Path) -> Path | None:
    """The checkpoint whose path a file holds, if it is there."""
    found = _read_name(file)
    if found is None:
        return None
    # The work folder may have been moved or copied: what is in this one counts then.
    places = [file.parent / found.name]
    if not _is_of_another(found, file.parent):
        places.insert(0, found)
    for path in places:
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # of a name that is too long, or none
            continue
    return None


def _merged(kinds: list[list[Path]]) -> Iterator[Path]:
    """All kinds, each in the order of its numbers, from the latest on."""
    while kinds := [kind for kind in kinds if kind]:
        several = len(kinds) > 1
        yield (
            max(kinds, key=lambda x: _iterations(x[-1])) if several else kinds[0]
        ).pop()


def _iterations(path: Path) -> float:
    """How many a checkpoint has behind it; inf if it is damaged, as it is then told."""
    try:
        return int(read_checkpoint(path)['meta']['iter'])
    except (UserError, KeyError, TypeError, ValueError):
        return math.inf
