"""Tables and arrays in, findings out. Nothing here draws, prints, or reaches into a run.

Names are loaded when they are asked for (PEP 562): the point-by-point detector needs no numpy, the findings do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mega_data_factory.analytics.anomaly import Anomalies, AnomalyDetector, Reason, detect, node_anomaly_rate
    from mega_data_factory.analytics.comparison import Comparison, compare
    from mega_data_factory.analytics.findings import Finding
    from mega_data_factory.analytics.output_columns import ColumnDrift, ColumnSummary, column_drift, column_statistics
    from mega_data_factory.analytics.performance.bottleneck import Bottleneck, find_bottleneck
    from mega_data_factory.analytics.runs.recording import Recording
    from mega_data_factory.analytics.runs.rejects import open_rejects, read_rejects
    from mega_data_factory.analytics.series.changed import changed_scores
    from mega_data_factory.analytics.series.correlation import correlation_matrix, lagged_correlations
    from mega_data_factory.analytics.whatif.answer import ScoredRun, WhatIf, what_if
    from mega_data_factory.analytics.whatif.target import threshold_for
    from mega_data_factory.rejects import RejectFilter, RejectLedger

__all__ = [
    "Anomalies",
    "AnomalyDetector",
    "Bottleneck",
    "ColumnDrift",
    "ColumnSummary",
    "Comparison",
    "Finding",
    "Reason",
    "Recording",
    "RejectFilter",
    "RejectLedger",
    "ScoredRun",
    "WhatIf",
    "changed_scores",
    "column_drift",
    "column_statistics",
    "compare",
    "correlation_matrix",
    "detect",
    "find_bottleneck",
    "lagged_correlations",
    "node_anomaly_rate",
    "open_rejects",
    "read_rejects",
    "threshold_for",
    "what_if",
]

_HOMES = {
    "anomaly": ("Anomalies", "AnomalyDetector", "Reason", "detect", "node_anomaly_rate"),
    "performance.bottleneck": ("Bottleneck", "find_bottleneck"),
    "series.changed": ("changed_scores",),
    "comparison": ("Comparison", "compare"),
    "series.correlation": ("correlation_matrix", "lagged_correlations"),
    "findings": ("Finding",),
    "output_columns": ("ColumnDrift", "ColumnSummary", "column_drift", "column_statistics"),
    "runs.recording": ("Recording",),
    "whatif.answer": ("ScoredRun", "WhatIf", "what_if"),
    "whatif.target": ("threshold_for",),
    "runs.rejects": ("RejectFilter", "RejectLedger", "open_rejects", "read_rejects"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
