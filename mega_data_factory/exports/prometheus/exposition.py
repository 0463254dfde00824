"""Families of metrics in the formats that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mega_data_factory.exports.families import Distribution, Family
from mega_data_factory.framework.metrics.rows.histogram import BUCKETS_PER_DOUBLING, LatencyHistogram

EDGES = range(-20, 6)
"""Powers of two that end a classic bucket: 0.95 µs to 32 s per record.

They are edges of our buckets too, which include their upper end as Prometheus' do: so every count is exact. One for
each doubling keeps a histogram at 29 series; what lies between, Prometheus interpolates.
"""

_UNITS = {
    "s": "_seconds",
    "By": "_bytes",
    "By/s": "_bytes_per_second",
    "{operation}/s": "_per_second",
    "1": "_ratio",
}


def prometheus_name(family: Family) -> str:
    """Return the name in Prometheus, without the `_total` of counters that the formats add."""
    return family.name.replace(".", "_") + _UNITS.get(family.unit, "")


def exposed(families: Sequence[Family], accept: str | None = None) -> tuple[bytes, str]:
    """Return the families as text.

    Args:
        families: what there is.
        accept: what the reader takes: the header of HTTP; Prometheus' own text format when None.

    Returns:
        The text, and its content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ready(families))
    encoder, content_type = choose_encoder(accept or "")
    return encoder(registry), content_type


class _Ready(Collector):
    """Gives what is there."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return map(_metric, self._families)


def _metric(family: Family) -> Metric:
    name = prometheus_name(family)
    labels = list(family.points[0].labels)
    metric: Metric
    if family.kind == "histogram":
        histogram = metric = HistogramMetricFamily(name, family.help, labels=labels)
        for point in family.points:
            assert isinstance(point.value, Distribution)
            histogram.add_metric(
                list(point.labels.values()),
                [(_text(bound), count) for bound, count in classic_buckets(point.value.histogram)],
                point.value.total,
            )
        return metric
    plain = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = values = plain(name, family.help, labels=labels)
    for point in family.points:
        assert not isinstance(point.value, Distribution)
        values.add_metric(list(point.labels.values()), point.value)
    return metric


def classic_buckets(histogram: LatencyHistogram) -> list[tuple[float, int]]:
    """Return upper bound and count of all values up to it: the powers of two of `EDGES`, and infinity."""
    counts = [0] * (len(EDGES) + 1)
    for bucket, count in histogram.to_pairs():
        power = -(-(bucket + 1) // BUCKETS_PER_DOUBLING)  # the first power of two at or above the bucket's upper end
        counts[min(max(power - EDGES.start, 0), len(EDGES))] += count
    bounds = [*(2.0**power for power in EDGES), float("inf")]
    return list(zip(bounds, accumulate(counts), strict=True))


def _text(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(bound)
