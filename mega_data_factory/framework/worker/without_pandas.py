"""Keep pandas out of processes that do not use it.

Arrow imports pandas at its first conversion, to tell a `pandas.Series` from other sequences: 0.3 s of CPU and 39 MB, in
the first batch of every worker. Here Arrow looks for pandas at a moment when there is none to be found, and looks again
as soon as it is imported.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

import pyarrow as pa

_PANDAS = "pandas"


def keep_pandas_out() -> None:
    """Let Arrow do without pandas until it is imported; nothing changes where it has been imported already."""
    if _PANDAS in sys.modules or any(isinstance(finder, _PandasFinder) for finder in sys.meta_path):
        return
    finder = _PandasFinder()
    sys.meta_path.insert(0, finder)
    pa.array([0])  # Arrow looks, and remembers that there is none
    finder.hides = False


class _PandasFinder(MetaPathFinder):
    """Hides pandas, then tells Arrow when it is imported.

    Attributes:
        hides: whether pandas cannot be found.
    """

    hides = True

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find pandas as usual, with a loader that tells Arrow of the import; nothing else."""
        if fullname != _PANDAS:
            return None
        if self.hides:
            raise ModuleNotFoundError("not now", name=_PANDAS)
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _NotifyingLoader(spec.loader)
        return spec


class _NotifyingLoader(Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _ = pa.lib._pandas_api.pd  # looks again
