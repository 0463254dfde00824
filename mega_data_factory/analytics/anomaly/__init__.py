"""Which points of a metric are strange, judged as they arrive."""

from mega_data_factory.analytics.anomaly.detector import AnomalyDetector
from mega_data_factory.analytics.anomaly.reason import Reason

__all__ = ["AnomalyDetector", "Reason"]
