"""MMEngine's reading of local files, of regular ones only.

MMPose and MMSegmentation read images by it. A pipe among them would keep a run waiting
for ever, a device fill the memory, and some JPEG take minutes to decode.
"""

from __future__ import annotations

import errno
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from litehrnet_mm.decoding import KindError, check_scans
from litehrnet_mm.files import open_regular, read_regular


class RegularFiles(LocalBackend):
    """MMEngine's local files, read if they are regular ones, and no bombs."""

    def get(self, filepath: str | Path) -> bytes:
        """The content of a file; what is raised is an ``OSError``."""
        content = read_regular(filepath)
        try:
            check_scans(content)
        except KindError as error:
            raise OSError(errno.EINVAL, str(error), str(filepath)) from error
        return content

    def get_text(self, filepath: str | Path, encoding: str = 'utf-8') -> str:
        """The text of a file; what is raised is an ``OSError``."""
        with open_regular(filepath):
            return super().get_text(filepath, encoding)


register_backend('local', RegularFiles, force=True, prefixes='')
