"""Fixtures for tests of synthetic data."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from litehrnet_mm.datasets import streets, writing


@pytest.fixture
def processes(monkeypatch) -> list[int]:
    """Into how many processes drawing was to be divided; it is done in this one."""
    asked = []

    @contextmanager
    def in_one(workers):
        asked.append(workers)
        yield map

    for module in (writing, streets.writing):
        monkeypatch.setattr(module, 'mapper', in_one)
    return asked
