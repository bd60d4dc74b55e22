"""What came of looking through one set, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from litehrnet_mm.checking.findings import Findings


@dataclass
class Inspection:
    """A set that was looked through.

    Attributes:
        splits: Those of the config that use it, the first names it.
        title: What it is and holds.
        findings: What was found.
        files: Its images that can be decoded, with digests of their contents.
        table: Pixels of each class, for masks.
        state: What the mending of this form needs to know.
        leaked: Images that are to be left out, since others evaluate on them.
    """

    splits: tuple[str, ...]
    title: str
    findings: Findings
    files: Mapping[Path, str]
    table: str = ''
    state: Any = field(default=None, repr=False)
    leaked: set[Path] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The splits, e.g. ``'val, test'``."""
        return ', '.join(self.splits)


class DataSet(Protocol):
    """A set of some form that can be looked through and mended."""

    splits: tuple[str, ...]

    def key(self) -> Any:
        """What two splits with the same data have in common."""

    def folders(self) -> list[Path]:
        """Folders that its images and masks are in."""

    def inspect(self, jobs: int) -> Inspection:
        """Look through the set, in so many processes."""

    def mend(self, inspection: Inspection, out: Path) -> list[str]:
        """Write a mended copy, a file or folder; what was changed, line by line."""
