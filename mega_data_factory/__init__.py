"""Curate training data at scale, and know where every record and every second went.

The names below are loaded when they are first used (PEP 562), so that a worker, or `mdf --help`, imports only what it
needs.

    >>> from mega_data_factory import Executor
    >>> for progress in Executor("configs/example_with_metrics.yaml").execute():
    ...     print(progress.records_written)

Every folder is a room of docs/architecture.md. The files beside them are the ground floor, open to every room:
`errors`, `clock`, `formats`, `charsets`, `strict_json`, `http`, `host`, `backoff`, `environment` (variables),
`collection` (of garbage), `catalogue` (built-in components) and `extras` (optional packages); and `testing`, for tests
of your own operators.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mega_data_factory._version import __version__

_HOMES = {
    "mega_data_factory.errors": ("ConfigError", "MdfError"),
    "mega_data_factory.framework.config.pipeline": ("MetricsConfig", "PipelineConfig"),
    "mega_data_factory.framework.contracts": (
        "Deduplicator",
        "Filter",
        "Judgement",
        "Loader",
        "Operator",
        "OperatorContext",
        "Refiner",
        "Rule",
        "Split",
        "Writer",
    ),
    "mega_data_factory.framework.executor": ("Executor", "Progress"),
    "mega_data_factory.framework.metrics": (
        "MetricsAggregator",
        "MetricsCollector",
        "MetricsReader",
        "MetricsWriter",
        "OperatorMetrics",
        "RunMetrics",
        "StageMetrics",
    ),
    "mega_data_factory.framework.plan": ("Plan", "make_plan"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from mega_data_factory.errors import ConfigError, MdfError
    from mega_data_factory.framework.config.pipeline import MetricsConfig, PipelineConfig
    from mega_data_factory.framework.contracts import (
        Deduplicator,
        Filter,
        Judgement,
        Loader,
        Operator,
        OperatorContext,
        Refiner,
        Rule,
        Split,
        Writer,
    )
    from mega_data_factory.framework.executor import Executor, Progress
    from mega_data_factory.framework.metrics import (
        MetricsAggregator,
        MetricsCollector,
        MetricsReader,
        MetricsWriter,
        OperatorMetrics,
        RunMetrics,
        StageMetrics,
    )
    from mega_data_factory.framework.plan import Plan, make_plan
    from mega_data_factory.observe.counting import calls
    from mega_data_factory.observe.driver import run

    class _Observe:
        """The package `observe` as type checkers see it: a function that has functions."""

        __call__ = staticmethod(run.observe)
        reject = staticmethod(calls.reject)
        report = staticmethod(calls.report)

    observe = _Observe()

__all__ = [
    "ConfigError",
    "Deduplicator",
    "Executor",
    "Filter",
    "Judgement",
    "Loader",
    "MdfError",
    "MetricsAggregator",
    "MetricsCollector",
    "MetricsConfig",
    "MetricsReader",
    "MetricsWriter",
    "Operator",
    "OperatorContext",
    "OperatorMetrics",
    "PipelineConfig",
    "Plan",
    "Progress",
    "Refiner",
    "Rule",
    "RunMetrics",
    "Split",
    "StageMetrics",
    "Writer",
    "__version__",
    "make_plan",
    "observe",
]


def __getattr__(name: str) -> Any:
    if name == "observe":  # a package that can be called
        return importlib.import_module("mega_data_factory.observe")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
