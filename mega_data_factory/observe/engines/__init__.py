"""Engines that `observe` knows; each is imported only where the user's own module is loaded.

- What an engine is asked: `engine`. Plain Python: `plain`.
- Ray Data: `ray_data`; `ray_task` in its workers, `ray_sink` for accounts from other nodes, `executions` of one plan.
- Engines of stages and partitions: `stage_engine` and its `stage_accounts`; `spark` and `dask` are built on them.

To add one: a file here with a subclass of `Engine`, a line in `ENGINES`, its tests in `tests/observe/`, its page in
`docs/observe/`.
"""

from __future__ import annotations

import importlib
import sys

from mega_data_factory.observe.engines.engine import Engine

ENGINES: dict[str, str] = {
    "ray.data": "mega_data_factory.observe.engines.ray_data:RayData",
    "pyspark": "mega_data_factory.observe.engines.spark:Spark",
    "datatrove": "mega_data_factory.observe.datatrove.engine:Datatrove",
    "datasets": "mega_data_factory.observe.huggingface.engine:HuggingFaceDatasets",
    "dask": "mega_data_factory.observe.engines.dask:Dask",
}
"""Module of the user → engine, `module:Class`. They are asked in this order for the task of a call: a more special
engine comes first."""

_imported: dict[str, type[Engine]] = {}
_found: tuple[int, list[type[Engine]]] = -1, []


def loaded_engines() -> list[type[Engine]]:
    """Return the engines whose modules are loaded in this process, in the order of `ENGINES`, without plain Python.

    A module that another thread is just importing has no version yet, for example: it is not loaded.
    """
    global _found
    modules = len(sys.modules)  # where nothing was imported since, nothing has changed
    if _found[0] != modules:
        present = [module for module in ENGINES if module in sys.modules]
        loaded = [module for module in present if not _is_being_imported(module)]
        _found = modules if loaded == present else -1, [_engine(ENGINES[module]) for module in loaded]
    return _found[1]


def _is_being_imported(module: str) -> bool:
    return bool(getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False))


def _engine(target: str) -> type[Engine]:
    found = _imported.get(target)
    if found is None:
        module, _, name = target.partition(":")
        found = _imported[target] = getattr(importlib.import_module(module), name)
    return found
