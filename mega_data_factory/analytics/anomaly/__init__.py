"""Which points of a metric are strange, judged as they arrive."""

from mega_data_factory.analytics.anomaly.detector import AnomalyDetector

__all__ = ["AnomalyDetector"]
