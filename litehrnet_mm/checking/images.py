"""Whether image files can be decoded to their end, and what size they have."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.cli import one_line
from litehrnet_mm.datasets.preparation.files import in_processes


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
    """Decode an image.

    OpenCV, which training reads with, returns a grey rest for a file that was cut off;
    Pillow does not. So both have to read it.
    """
    try:
        data = Path(path).read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of large images and odd metadata
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                stored = image.size
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except FileNotFoundError:
        return ImageFacts(fault='image-missing')
    except OSError as error:
        reason = error.strerror or one_line(error)
        return ImageFacts(fault='image-unreadable', reason=_no_address(reason))
    except Exception as error:  # decoders have their own
        return ImageFacts(fault='image-unreadable', reason=one_line(error))
    if pixels is None:
        return ImageFacts(fault='image-unreadable', reason='OpenCV cannot read it')
    height, width = pixels.shape[:2]
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return ImageFacts((width, height), stored, digest)


def _no_address(reason: str) -> str:
    """Pillow names the place in memory of what is no image."""
    return 'no image format' if reason.startswith('cannot identify') else reason


def look_at_images(
    paths: Sequence[Path], jobs: int, title: str
) -> Mapping[Path, ImageFacts]:
    """Decode images in several processes, with a progress bar."""
    facts = in_processes(look_at_image, paths, jobs, progress=True, title=title)
    return dict(zip(paths, facts))
