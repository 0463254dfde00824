"""Content of a report, section by section, ready for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import yaml

from mega_data_factory.analytics.comparison import Comparison, compare
from mega_data_factory.analytics.findings import Finding, Topic, find
from mega_data_factory.analytics.performance.bottleneck import find_bottleneck
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.series import operator_series, stage_series
from mega_data_factory.framework.metrics.schema import SCHEMA_VERSION
from mega_data_factory.reports import comparison as comparison_words
from mega_data_factory.reports import excluded, output_columns, rejects, slice_table, tables, tracked_stages
from mega_data_factory.reports.excluded import Examples, SampleSources
from mega_data_factory.reports.figures import Draw
from mega_data_factory.reports.operator_table import explanations, operator_table
from mega_data_factory.reports.thresholds import ShownThreshold, shown_thresholds
from mega_data_factory.visualization.charts import flow, latency, nodes, runs, timeline, workers


@dataclass(frozen=True)
class Samples:
    """Records to look at.

    Attributes:
        rejected, kept: examples with their content.
    """

    rejected: Examples
    kept: Examples

    @classmethod
    def read(cls, recording: Recording, sources: SampleSources) -> Samples:
        """Read examples of a run."""
        return cls(excluded.rejected(recording, sources), excluded.kept(recording, sources))


_SLICES = 12
"""Slices of each operator that the report shows."""


@dataclass(frozen=True)
class Document:
    """A report before it is written.

    Attributes:
        recording: the run.
        past: its earlier runs.
        findings: what to say, the most pressing first.
        charts: name → the chart, wanting only its look. A name that is missing has nothing to show.
        comparison: with the run before; None if there is none.
        errors: examples of records that raised; None if none did.
        samples: None unless wanted.
    """

    recording: Recording
    past: EarlierRuns
    findings: tuple[Finding, ...]
    charts: Mapping[str, Draw]
    comparison: Comparison | None = None
    errors: Examples | None = None
    samples: Samples | None = None

    @classmethod
    def from_recording(
        cls,
        recording: Recording,
        past: EarlierRuns,
        *,
        samples: SampleSources | None = None,
        baseline: Sequence[Recording] | None = None,
    ) -> Document:
        """Return the report of a run.

        Args:
            recording: The run.
            past: Its earlier runs.
            samples: Where the records are whose content is shown; None shows none.
            baseline: Runs to compare it with, the newest first; the last of `past` by default.
        """
        if baseline is None and past.previous is not None:
            baseline = (past.previous,)
        comparison = compare(baseline, recording) if baseline else None
        run = recording.run
        raised = (run.get("total_errors") or 0) + (run.get("dead_lettered_records") or 0)
        return cls(
            recording,
            past,
            tuple(find(recording, past)),
            _charts(recording, past, comparison),
            comparison,
            excluded.errors(recording) if raised else None,
            None if samples is None else Samples.read(recording, samples),
        )

    @property
    def topics(self) -> frozenset[Topic]:
        """Return the topics of findings that the document shows, each in a section of its own."""
        shown: dict[Topic, bool] = {
            "workers": "workers" in self.charts,
            "nodes": "nodes" in self.charts,
            "errors": self.errors is not None,
            "comparison": self.comparison is not None or "trends" in self.charts,
        }
        return frozenset([topic for topic, is_shown in shown.items() if is_shown])

    @cached_property
    def thresholds(self) -> tuple[ShownThreshold, ...]:
        """Rules with charts of their scores; made when the page shows them, as each takes many estimates."""
        return shown_thresholds(self.recording)

    @property
    def all_charts(self) -> dict[str, Draw]:
        """`charts` and those of `thresholds`."""
        return {**self.charts, **{shown.name: shown.draw for shown in self.thresholds}}

    @property
    def output_rows(self) -> list[tuple[str, ...]]:
        """Rows of the table of the output's columns; none if they were not measured."""
        drift = output_columns.drift_since_before(self.recording, self.past)
        return output_columns.column_rows(self.recording.output_columns, drift)

    def context(self) -> dict[str, Any]:
        """Return the variables of the template."""
        recording, comparison = self.recording, self.comparison
        columns, rows = operator_table(recording.stages, tables.own_cost(recording))
        return {
            "run": recording.run,
            "run_id": recording.run_id,
            "title": recording.run.get("pipeline") or recording.run_id,
            "status": recording.run.get("status") or "unknown",
            "findings": [finding for finding in self.findings if finding.severity != "good"],
            "checked": [finding for finding in self.findings if finding.severity == "good"],
            "tiles": tables.tiles(recording),
            "charts": self.all_charts,
            "sections": self.topics,
            "operator_columns": columns,
            "operators": rows,
            "tracked_title": tracked_stages.TITLE,
            "tracked_columns": tracked_stages.COLUMNS,
            "tracked_note": tracked_stages.NOTE,
            "tracked": tracked_stages.tracked_rows(recording.tracked_stages),
            "explanations": explanations(columns),
            "reasons": tables.reason_rows(flow_of(recording)),
            "custom_columns": tables.CUSTOM_COLUMNS,
            "custom": tables.custom_rows(recording),
            "output_title": output_columns.TITLE,
            "output_headings": output_columns.COLUMNS,
            "output_note": output_columns.NOTE,
            "output_columns": self.output_rows,
            "errors": self.errors,
            "slices": slice_table.slice_tables(recording.slices, most=_SLICES, deciding=True),
            "slice_note": slice_table.NOTE,
            "thresholds": self.thresholds,
            "rejects": rejects.reject_table(recording),
            "reject_columns": rejects.COLUMNS,
            "samples": self.samples,
            "comparison": comparison,
            "comparison_sentences": comparison_words.comparison_sentences(comparison) if comparison else [],
            "difference_columns": comparison_words.DIFFERENCE_COLUMNS,
            "differences": comparison_words.difference_rows(comparison) if comparison else [],
            "compared_tables": comparison_words.comparison_tables(comparison) if comparison else [],
            "environment": tables.environment(recording, SCHEMA_VERSION),
            "config": as_yaml(recording.config) if recording.config else None,
        }


def as_yaml(config: Mapping[str, Any]) -> str:
    """Return a configuration as YAML."""
    text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=110)
    return text


def _charts(recording: Recording, past: EarlierRuns, comparison: Comparison | None) -> dict[str, Draw]:
    """Return the charts that have something to show, by name."""
    found: dict[str, Draw] = {}
    stages, records = recording.stages, flow_of(recording)
    operators = recording.operator_totals
    if any(operator.input for operator in operators):
        found["funnel"] = partial(flow.funnel, records)
    if records.read:
        found["sankey"] = partial(flow.sankey, records)
    if bottleneck := find_bottleneck(recording):
        found["utilisation"] = partial(workers.utilisation, bottleneck)
    if over_time := stage_series(recording):
        found["stages"] = partial(timeline.stages_over_time, over_time)
        found["cost"] = partial(timeline.operator_cost_over_time, operator_series(recording))
    if any(operator.counts.sum() for operator in operators):
        found["latency"] = partial(latency.latency_ridges, operators)
    if any(sum(worker.rate is not None for worker in stage.workers) > 1 for stage in stages):
        found["workers"] = partial(workers.worker_spread, stages)
    if len(recording.nodes):
        coarse = operator_series(recording, nodes.MOST_STEPS)
        found["nodes"] = partial(nodes.nodes_and_operators, recording.nodes, coarse)
    if past.runs:
        found["trends"] = partial(runs.trends, [*past.runs, recording.run], highlight=recording.run_id)
    if comparison is not None:
        found["comparison"] = partial(runs.cost_comparison, comparison)
    return found
