"""Whether image files can be decoded to their end, and what size they have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.datasets.preparation.files import in_processes
from litehrnet_mm.decoding import MOST_BYTES, decode, why
from litehrnet_mm.files import read_regular
from litehrnet_mm.values import shown


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image file.

    Attributes:
        size: Width and height as training sees it, turned by EXIF; ``None`` if it
            cannot be decoded.
        stored: Width and height as it is stored.
        digest: Of the file's content.
        fault: A kind of finding, if there is one.
        reason: Why it cannot be decoded.
    """

    size: tuple[int, int] | None = None
    stored: tuple[int, int] | None = None
    digest: str = ''
    fault: str = ''
    reason: str = ''

    def report(self, findings: Findings, place: str) -> None:
        """Add the fault, if there is one."""
        if self.fault:
            findings.add(self.fault, place, self.reason)


def look_at_image(path: str | Path) -> ImageFacts:
    """Decode an image."""
    try:
        data = read_regular(path, MOST_BYTES)
        pixels, stored = decode(data)
    except FileNotFoundError:
        return ImageFacts(fault='image-missing')
    except Exception as error:  # decoders have their own
        reason = shown(getattr(error, 'strerror', None) or why(error), 200)
        return ImageFacts(fault='image-unreadable', reason=reason)
    height, width = pixels.shape[:2]
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return ImageFacts((width, height), stored, digest)


def look_at_images(
    paths: Sequence[Path], jobs: int, title: str
) -> Mapping[Path, ImageFacts]:
    """Decode images in several processes, with a progress bar."""
    facts = in_processes(look_at_image, paths, jobs, progress=True, title=title)
    return dict(zip(paths, facts))
