"""Pictures in a window, on a computer with a screen."""

from __future__ import annotations

import os
import sys

import cv2
import numpy as np

from litehrnet_mm.cli import UserError

WINDOW = 'litehrnet_mm: q ends'


def has_screen() -> bool:
    """Whether a window could be opened, as far as the system tells."""
    if sys.platform in ('win32', 'darwin'):
        return True
    return bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))


def show_picture(image: np.ndarray, wait: bool) -> bool:
    """Show a picture in a window; whether to go on.

    Args:
        image: BGR uint8, shape (H, W, 3).
        wait: For a key. Otherwise the next picture may follow at once.

    Raises:
        UserError: If there is no screen.
    """
    fault = '--show needs a screen'
    if not has_screen():  # Qt would end the process
        raise UserError(f'{fault}, and there is none')
    try:
        cv2.imshow(WINDOW, image)
        return cv2.waitKey(0 if wait else 1) not in (ord('q'), 27)
    except cv2.error as error:
        raise UserError(
            f'{fault} and OpenCV with windows (opencv-python, not '
            'opencv-python-headless)'
        ) from error
