"""Synthetic data sets that need no download."""

from litehrnet_mm.datasets.people import render_people
from litehrnet_mm.datasets.sheet import (
    check_sheet_path,
    write_contact_sheet,
    write_prediction_sheet,
)
from litehrnet_mm.datasets.skeleton import KEYPOINTS, SKELETON
from litehrnet_mm.datasets.writing import make_people

__all__ = [
    'KEYPOINTS',
    'SKELETON',
    'check_sheet_path',
    'make_people',
    'render_people',
    'write_contact_sheet',
    'write_prediction_sheet',
]
