"""Runs a callback right after a module of ministack was imported, whoever imported it.

ministack loads its services when they are first needed, from many places. Restoring a service's rows and putting
corrections in place has to happen before anybody else sees the module. Those that answer in XML are read with their
data escaped (`xml_texts`).
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from trainworks.twin.emulator import xml_texts

PREFIX = "ministack.services."
Callback = Callable[[str, ModuleType], None]


class LoadHook(importlib.abc.MetaPathFinder):
    """Calls `callback(name, module)` after each `ministack.services.NAME` has been executed."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback

    def install(self) -> None:
        """Take effect for modules that are not loaded yet."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Have no effect on later imports."""
        sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            inner = spec.loader
            if fullname.removeprefix(PREFIX) in xml_texts.MODULES and spec.origin is not None:
                inner = xml_texts.EscapingLoader(fullname, spec.origin)
            spec.loader = _Loader(inner, self._callback)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: importlib.abc.Loader, callback: Callback) -> None:
        self._inner = inner
        self._callback = callback

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        self._callback(module.__name__.removeprefix(PREFIX), module)
