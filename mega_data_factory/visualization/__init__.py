"""Pictures of a cluster and of runs. Names are loaded when they are first used: a worker must not import Plotly."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mega_data_factory import extras

extras.require("report", "drawing")

_HOME_OF = {
    "AnomalyDetector": "mega_data_factory.analytics.anomaly",
    "DARK": "mega_data_factory.visualization.theme",
    "HistoryRetention": "mega_data_factory.history",
    "LIGHT": "mega_data_factory.visualization.theme",
    "MetricsHistory": "mega_data_factory.history",
    "MetricsVisualizer": "mega_data_factory.visualization.visualizer",
    "Theme": "mega_data_factory.visualization.theme",
    "from_store": "mega_data_factory.visualization.stored_run",
}

if TYPE_CHECKING:
    from mega_data_factory.analytics.anomaly import AnomalyDetector
    from mega_data_factory.history import HistoryRetention, MetricsHistory
    from mega_data_factory.visualization.stored_run import from_store
    from mega_data_factory.visualization.theme import DARK, LIGHT, Theme
    from mega_data_factory.visualization.visualizer import MetricsVisualizer

__all__ = [
    "DARK",
    "LIGHT",
    "AnomalyDetector",
    "HistoryRetention",
    "MetricsHistory",
    "MetricsVisualizer",
    "Theme",
    "from_store",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
