"""Whether a run was slower or faster than the runs before it."""

from __future__ import annotations

from collections.abc import Iterator

from mega_data_factory.analytics.comparison import Comparison, compare, most_changed
from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.past import Past
from mega_data_factory.analytics.recording import Recording
from mega_data_factory.analytics.usual import usual_range
from mega_data_factory.visualization.formats import percent, rate

_LEAST_SHARE = 0.25
"""Throughput strays from run to run with the machine's other work; less than this share below is not told."""


def unusual_throughput(recording: Recording, past: Past) -> Iterator[Finding]:
    """Fewer records per second than the earlier runs of the pipeline had."""
    run = recording.run
    now = run.get("avg_throughput")
    earlier = past.values("avg_throughput")
    if run.get("status") != "completed" or not now or not earlier:
        return
    usual = usual_range(earlier, least_width=_LEAST_SHARE * sorted(earlier)[len(earlier) // 2])
    if usual is not None and now < usual.low:
        slower = percent(100 * (1 - now / usual.middle))
        yield Finding(
            "warning",
            "throughput",
            f"{slower} slower than usual: {rate(now)}, where {rate(usual.middle)} is usual for this pipeline",
            f"In its last {usual.runs} runs {rate(max(usual.low, 0.0))} or more would have been expected.",
            {"throughput": now, "usual": usual.middle, "low": usual.low, "runs": usual.runs},
            "The comparison below says which operators take longer, and what was changed in the configuration.",
        )


def against_previous(recording: Recording, past: Past) -> Iterator[Finding]:
    """What differs from the run before by more than noise."""
    if past.previous is None or recording.run.get("status") != "completed":
        return
    comparison = compare(past.previous, recording)
    if comparison.speed not in ("slower", "faster") or comparison.throughput is None:
        return
    times = comparison.throughput.value
    by = percent(100 * abs(times - 1))
    yield Finding(
        "warning" if comparison.speed == "slower" and comparison.same_configuration else "advice",
        "previous-run",
        f"{by} {comparison.speed} than the run before ({past.previous.run_id})",
        f"{_interval(comparison)} {_causes(comparison)}",
        {"ratio": times, "low": comparison.throughput.low, "high": comparison.throughput.high},
        "" if comparison.same_configuration else "The configuration was changed; see the comparison below.",
    )


def _interval(comparison: Comparison) -> str:
    ratio = comparison.throughput
    assert ratio is not None
    assert ratio.low is not None  # judged, so it has one
    assert ratio.high is not None
    return f"Throughput is {ratio.value:.2f} times that of before (95 % interval {ratio.low:.2f} to {ratio.high:.2f})."


def _causes(comparison: Comparison) -> str:
    moved = [
        f"{d.operator.label} takes {d.cost.value:.2f} times as long for a record"
        for d in most_changed(comparison, 3)
        if d.cost is not None
    ]
    if moved:
        return f"{'; '.join(moved)}."
    return "No single operator takes longer or shorter for a record by more than noise."
