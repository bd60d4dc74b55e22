"""Faults of data sets, found before training: for ``tools/check_dataset.py``."""
