"""Findings about throughput compared with earlier runs."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from mega_data_factory.analytics.baseline import UsualRange, usual_range
from mega_data_factory.analytics.comparison import Comparison, compare, most_changed
from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import percent, rate

_LEAST_SHARE = 0.25
"""Throughput varies from run to run with the other load of the machine; a smaller loss is not reported."""


def throughput(recording: Recording, past: EarlierRuns) -> Iterator[Finding]:
    """Yield a fall below the throughput of earlier runs of the pipeline, or a difference to the last of them."""
    run = recording.run
    if run.get("status") != "completed" or not past.runs:
        return
    comparison = compare(past.previous, recording) if past.previous else None
    usual = _usual(past.values("avg_throughput"))
    now = run.get("avg_throughput") or 0.0
    if usual is not None and now < usual.low:
        slower = percent(100 * (1 - now / usual.middle))
        causes = f" Compared with the run before: {_causes(comparison)}" if comparison else ""
        yield Finding(
            "warning",
            "throughput",
            f"{slower} slower than usual: {rate(now)} instead of the usual {rate(usual.middle)}",
            f"Expected {rate(max(usual.low, 0.0))} or more from its last {usual.runs} runs.{causes}",
            {"throughput": now, "usual": usual.middle, "low": usual.low, "runs": usual.runs},
            "Check which operators changed, and what was changed in the configuration.",
            "comparison",
        )
    elif comparison is not None and comparison.speed in ("slower", "faster"):
        yield _difference(comparison)


def _usual(values: list[float]) -> UsualRange | None:
    return usual_range(values, least_width=_LEAST_SHARE * median(values)) if values else None


def _difference(comparison: Comparison) -> Finding:
    ratio = comparison.throughput
    assert ratio is not None  # it was judged
    same = comparison.same_configuration
    return Finding(
        "warning" if comparison.speed == "slower" and same else "advice",
        "previous-run",
        f"{percent(100 * abs(ratio.value - 1))} {comparison.speed} than the run before ({comparison.before.run_id})",
        f"{_interval(comparison)} Of the operators: {_causes(comparison)}",
        {"ratio": ratio.value, "low": ratio.low, "high": ratio.high},
        "" if same else "The configuration was changed.",
        "comparison",
    )


def _interval(comparison: Comparison) -> str:
    ratio = comparison.throughput
    assert ratio is not None
    assert ratio.low is not None  # judged, so it has one
    assert ratio.high is not None
    interval = f"95 % interval {ratio.low:.2f} to {ratio.high:.2f}"
    return f"Throughput is {ratio.value:.2f} times that of the run before ({interval})."


def _causes(comparison: Comparison) -> str:
    moved = [
        f"{d.operator.label} takes {d.cost.value:.2f} times as long per record"
        for d in most_changed(comparison, 3)
        if d.cost is not None
    ]
    if moved:
        return f"{'; '.join(moved)}."
    return "no operator's cost per record changed by more than noise."
