"""What stands in a report, section by section, ready for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from mega_data_factory.analytics.bottleneck import find_bottleneck
from mega_data_factory.analytics.comparison import Comparison, compare
from mega_data_factory.analytics.findings import Finding, find
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.past import Past
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.series import operator_series, stage_series
from mega_data_factory.framework.metrics.schema import SCHEMA_VERSION
from mega_data_factory.reports import excluded, tables
from mega_data_factory.reports.excluded import Examples
from mega_data_factory.reports.figures import Draw
from mega_data_factory.visualization.charts import flow, latency, nodes, runs, timeline, workers

MOST_HEAT_STEPS = 200


@dataclass(frozen=True)
class Samples:
    """Records to look at.

    Attributes:
        rejected, kept: examples with their content.
    """

    rejected: Examples
    kept: Examples


@dataclass(frozen=True)
class Document:
    """A report before it is written.

    Attributes:
        recording: the run.
        past: its earlier runs.
        findings: what to say, the most pressing first.
        charts: name → the chart, wanting only its look. A name that is missing has nothing to show.
        comparison: with the run before; None where there is none.
        errors: examples of records that raised; None where none did.
        samples: None unless wanted.
    """

    recording: Recording
    past: Past
    findings: tuple[Finding, ...]
    charts: Mapping[str, Draw]
    comparison: Comparison | None = None
    errors: Examples | None = None
    samples: Samples | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, recording: Recording, past: Past, *, samples: bool = False) -> Document:
        """Think about a run and gather everything that its report shows.

        Args:
            recording: the run.
            past: its earlier runs.
            samples: whether to show content of records.
        """
        comparison = compare(past.previous, recording) if past.previous else None
        run = recording.run
        raised = (run.get("total_errors") or 0) + (run.get("dead_lettered_records") or 0)
        return cls(
            recording,
            past,
            tuple(find(recording, past)),
            _charts(recording, past, comparison),
            comparison,
            excluded.errors(recording) if raised else None,
            Samples(excluded.rejected(recording), excluded.kept(recording)) if samples else None,
        )

    def context(self) -> dict[str, Any]:
        """Everything that the template names."""
        recording, comparison = self.recording, self.comparison
        return {
            "run": recording.run,
            "run_id": recording.run_id,
            "title": recording.run.get("pipeline") or recording.run_id,
            "status": recording.run.get("status") or "unknown",
            "findings": [finding for finding in self.findings if finding.severity != "good"],
            "checked": [finding for finding in self.findings if finding.severity == "good"],
            "tiles": tables.tiles(recording),
            "charts": self.charts,
            "operator_columns": tables.OPERATOR_COLUMNS,
            "operators": tables.operator_rows(recording.stages),
            "reasons": tables.reason_rows(flow_of(recording)),
            "errors": self.errors,
            "samples": self.samples,
            "comparison": comparison,
            "comparison_words": tables.comparison_words(comparison) if comparison else [],
            "difference_columns": tables.DIFFERENCE_COLUMNS,
            "differences": tables.difference_rows(comparison) if comparison else [],
            "environment": tables.environment(recording, SCHEMA_VERSION),
            "config": as_yaml(recording.config) if recording.config else None,
        }


def as_yaml(config: Mapping[str, Any]) -> str:
    """A configuration as it is written in a file."""
    text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=110)
    return text


def _charts(recording: Recording, past: Past, comparison: Comparison | None) -> dict[str, Draw]:
    """The charts that have something to show."""
    stages = recording.stages
    operators = [operator for stage in stages for operator in stage.operators]
    records = flow_of(recording)
    bottleneck = find_bottleneck(recording)
    over_time, each, coarse = _series(recording)
    history = [*past.runs, recording.run]
    several = any(sum(worker.rate is not None for worker in stage.workers) > 1 for stage in stages)
    known: list[tuple[str, bool, Callable[..., Any]]] = [
        ("funnel", any(o.input for o in operators), lambda theme: flow.funnel(records, theme)),
        ("sankey", records.read > 0, lambda theme: flow.sankey(records, theme)),
        ("utilisation", bottleneck is not None, lambda theme: workers.utilisation(bottleneck, theme)),  # type: ignore[arg-type]
        ("stages", bool(over_time), lambda theme: timeline.stages_over_time(over_time, theme)),
        ("cost", bool(each), lambda theme: timeline.operator_cost_over_time(each, theme)),
        (
            "latency",
            any(o.counts.sum() for o in operators),
            lambda theme: latency.latency_ridges(operators, theme),
        ),
        ("workers", several, lambda theme: workers.worker_spread(stages, theme)),
        ("nodes", len(recording.nodes) > 0, lambda theme: nodes.nodes_and_operators(recording.nodes, coarse, theme)),
        ("trends", len(history) > 1, lambda theme: runs.trends(history, theme, recording.run_id)),
        ("comparison", comparison is not None, lambda theme: runs.cost_comparison(comparison, theme)),  # type: ignore[arg-type]
    ]
    return {name: draw for name, there, draw in known if there}


def _series(recording: Recording) -> tuple[Any, Any, Any]:
    """Stages over time, operators over time, and operators in as few steps as a heat map has."""
    return stage_series(recording), operator_series(recording), operator_series(recording, MOST_HEAT_STEPS)
