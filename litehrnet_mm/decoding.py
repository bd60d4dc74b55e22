"""Pictures of any kind, decoded to their end or not at all."""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
from PIL import Image

MOST_BYTES = 600 << 20
"""Of a picture's file: what 179 M pixels take that are not packed at all."""

FORMATS = ('BMP', 'GIF', 'JPEG', 'JPEG2000', 'PNG', 'PPM', 'TIFF', 'WEBP')
"""Those that Pillow may open. It goes by the content, and would run Ghostscript on what
is PostScript, whatever the file is called."""


def decode(content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a picture.

    OpenCV, which training reads with, may return a grey rest for a file that was cut
    off, and takes memory for whatever size a file claims; Pillow does neither, but
    does not look at all sums. So both have to read it.

    Args:
        content: Of a file.

    Returns:
        BGR uint8, ``(H, W, 3)``, turned by EXIF; width and height as stored.

    Raises:
        ValueError: If OpenCV cannot read it.
        Exception: Of many kinds, Pillow's: if that cannot, or it has more than 179 M
            pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of large images and odd metadata
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
            stored = image.size
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError('OpenCV cannot read it')
    return pixels, stored


def why(error: Exception) -> str:
    """The reason in what :func:`decode` raised, in a few words."""
    lines = str(error).strip().splitlines()
    # Pillow names the place in memory of what is no image.
    if lines and lines[0].startswith('cannot identify'):
        return 'no image format'
    return lines[0][:200] if lines else type(error).__name__
