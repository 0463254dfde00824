"""Names of the original `mega_data_factory`, for scripts and pipelines that were written for it.

Nothing here is loaded before it is asked for: `mega_data_factory.framework` finds old names in `HOMES`, and a
configuration loads `compat.configuration` when it holds an old word.
"""

from __future__ import annotations

import importlib
from typing import Any

HOMES: dict[str, str] = {
    "BatchResult": "operators",
    "CombinedOperator": "operators",
    "Deduplicator": "operators",
    "Filter": "operators",
    "Operator": "operators",
    "Refiner": "operators",
    "Executor": "executor",
    "DedupBackend": "backend",
    "DataLoader": "sources",
    "DataWriter": "sources",
    "DataLoaderRegistry": "registries",
    "DataWriterRegistry": "registries",
    "OperatorRegistry": "registries",
    "RayWorker": "workers",
    "WorkerBatchResult": "workers",
    "DataLoaderConfig": "sections",
    "DataWriterConfig": "sections",
    "ExecutorConfig": "sections",
    "MetricsConfig": "sections",
    "OperatorConfig": "sections",
    "RejectedSamplesConfig": "sections",
    "MetricsReporter": "reporter",
    "StageConfig": "sections",
    "StageWorkerConfig": "sections",
}
"""Old name → module of this package that has it."""

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    home = HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
