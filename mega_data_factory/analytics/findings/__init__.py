"""Findings about a run, the most severe first, in plain words with numbers.

- What a finding is: `finding`.
- How the run ended and what became of its records: `outcome`, `quality`, `slices`, `scripts`, `uncommitted`.
- What is in the output: `output`.
- Speed: `speed`, `machines`, `changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mega_data_factory.analytics.findings import changes, machines, outcome, output, quality, scripts, slices, speed
from mega_data_factory.analytics.findings.finding import SEVERITIES, Finding, Severity, Topic
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording

__all__ = ["RULES", "SEVERITIES", "Finding", "Severity", "Topic", "find"]

Rule = Callable[[Recording, EarlierRuns], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    outcome.ending,
    outcome.books,
    outcome.nothing,
    outcome.dead_letters,
    outcome.errors,
    outcome.unwritten_metrics,
    scripts.unspaced_scripts,
    quality.unusual_pass_rates,
    slices.odd_slices,
    output.drift,
    changes.throughput,
    speed.bottleneck,
    machines.pressure,
    speed.slow_workers,
    speed.uneven_stages,
    speed.filter_order,
    speed.tails,
    speed.late_start,
    speed.idle_workers,
    quality.main_reason,
    outcome.retries,
    speed.instrumentation,
)
"""Rules. Findings of equal severity keep this order."""


def find(recording: Recording, past: EarlierRuns | None = None) -> list[Finding]:
    """Return everything worth saying about a run, the most pressing first.

    Args:
        recording: the run, however far it came.
        past: its earlier runs; without them nothing is compared with the usual values.
    """
    found = [finding for rule in RULES for finding in rule(recording, past or EarlierRuns())]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
