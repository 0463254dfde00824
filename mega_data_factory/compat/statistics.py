"""Counts of an operator that is called outside of a pipeline."""

from __future__ import annotations

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram


class BatchStatistics:
    """Counts and latencies of the batches of one operator."""

    def __init__(self) -> None:
        self._offered = self._passed = 0
        self._seconds = 0.0
        self._fastest: float | None = None
        self._slowest = 0.0
        self._latencies = LatencyHistogram()

    def add(self, offered: int, passed: int, seconds: float) -> None:
        """Count a batch; without records it counts nothing."""
        if not offered:
            return
        each = seconds / offered
        self._offered += offered
        self._passed += passed
        self._seconds += seconds
        self._fastest = each if self._fastest is None else min(self._fastest, each)
        self._slowest = max(self._slowest, each)
        self._latencies.add(each, offered)

    def as_dict(self) -> dict[str, float]:
        """Return counts, `pass_rate` in percent, seconds a record, records a second; all 0 before the first batch."""
        p50, p95, p99 = (self._latencies.quantile(q) or 0.0 for q in (0.5, 0.95, 0.99))
        return {
            "input_records": self._offered,
            "output_records": self._passed,
            "pass_rate": 100.0 * self._passed / self._offered if self._offered else 0.0,
            "total_time": self._seconds,
            "avg_latency": self._seconds / self._offered if self._offered else 0.0,
            "min_latency": self._fastest or 0.0,
            "max_latency": self._slowest,
            "p50_latency": p50,
            "p95_latency": p95,
            "p99_latency": p99,
            "throughput": self._offered / self._seconds if self._seconds else 0.0,
        }
