"""Something to do as soon as another package has been imported, and not before."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Callable


def after_import(name: str, action: Callable[[], None]) -> None:
    """Call ``action`` once a module has been imported: now, if it was before.

    Args:
        name: Of the module.
        action: What to do. Where it fails, so does the import.
    """
    if name in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _Watch(name, action))


class _Watch(importlib.abc.MetaPathFinder):
    """Waits for the import of one module."""

    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self.name = name
        self.action = action

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        """Leave finding to all others, and have their loader watched."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _WatchedLoader(spec.loader, self.action)
        return spec


class _WatchedLoader(importlib.abc.Loader):
    """A loader that does something after it has loaded."""

    def __init__(self, loader, action: Callable[[], None]) -> None:
        self.loader = loader
        self.action = action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as its own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute it, as a module of its own loader, then act."""
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.action()
