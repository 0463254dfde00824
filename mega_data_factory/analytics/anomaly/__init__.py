"""Anomaly detection of metrics, point by point.

Names are loaded when they are asked for (PEP 562): the detector itself needs nothing but the standard library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mega_data_factory.analytics.anomaly.detector import AnomalyDetector
    from mega_data_factory.analytics.anomaly.reason import Reason
    from mega_data_factory.analytics.anomaly.whole_series import Anomalies, detect, node_anomaly_rate

__all__ = ["Anomalies", "AnomalyDetector", "Reason", "detect", "node_anomaly_rate"]

_HOME_OF = {
    "Anomalies": "whole_series",
    "AnomalyDetector": "detector",
    "Reason": "reason",
    "detect": "whole_series",
    "node_anomaly_rate": "whole_series",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
