"""Synthetic street scenes with the 19 classes and the layout of Cityscapes."""

from litehrnet_mm.datasets.streets.classes import CLASSES, PALETTE
from litehrnet_mm.datasets.streets.scene import render_street
from litehrnet_mm.datasets.streets.sheet import write_comparison, write_street_sheet
from litehrnet_mm.datasets.streets.writing import make_streets

__all__ = [
    'CLASSES',
    'PALETTE',
    'make_streets',
    'render_street',
    'write_comparison',
    'write_street_sheet',
]
