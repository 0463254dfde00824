"""The datasets of the bundle: a view of the DuckDB file each, and the metrics that charts may take of it.

A metric is right over any grouping: sums are divided, never rates averaged; percentiles come from added histograms.
A metric may not have the name of a column.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNT = ",d"
SHORT = "SMART_NUMBER"
SECONDS = ",.3~r"
RATE = ",.1f"
SHARE = ".1%"
DURATION = ",.2f"
"""Formats of D3, which Superset's charts and tables write numbers with.

`SMART_NUMBER` is Superset's own: 1.23k and 0.912, where `.3~s` of D3 would write 912m.
"""


COLUMN_LABELS = {
    "avg_throughput": "Records/s per worker",
    "unbalanced_records": "Unbalanced records",
    "duration": "Seconds",
    "overall_pass_rate": "Pass rate (%)",
    "run_start": "Run start",
    "total_errors": "Errors",
    "total_input_records": "Read",
    "total_output_records": "Written",
}
"""Labels of columns whose name, with a blank for every underscore, would say less."""

_LABELS_OF_RUNS = {"avg_throughput": "Records/s"}
"""Labels of columns that mean something else in the table of runs: there it is records read / duration."""


def column_label(name: str, dataset: str) -> str:
    """Return the label of a column of a dataset."""
    labels = COLUMN_LABELS | _LABELS_OF_RUNS if dataset == "runs" else COLUMN_LABELS
    return labels.get(name, name.replace("_", " ").capitalize())


@dataclass(frozen=True)
class Metric:
    """An aggregate over the rows of a dataset.

    Attributes:
        name: how charts call it.
        label: how people do.
        expression: SQL.
        format: of D3.
        description: what it is, with its unit.
    """

    name: str
    label: str
    expression: str
    format: str
    description: str


@dataclass(frozen=True)
class Dataset:
    """A view, and what charts may take of it.

    Attributes:
        name: of the view.
        time: the column that a time range narrows.
        description: what a row is.
        metrics: its aggregates.
    """

    name: str
    time: str
    description: str
    metrics: tuple[Metric, ...]

    def metric(self, name: str) -> Metric:
        """Return the metric of this name."""
        return next(metric for metric in self.metrics if metric.name == name)


def _ratio(part: str, whole: str) -> str:
    return f"SUM({part}) * 1.0 / NULLIF(SUM({whole}), 0)"


def _percentile(name: str, quantile: float) -> Metric:
    expression = f"1000 * latency_percentile(latency_histogram, {quantile})"
    meaning = f"milliseconds per record that {100 * quantile:g} % of the records took at most, from added histograms"
    return Metric(name, f"{name} (ms)", expression, ",.3~f", meaning)


_FLOW = (
    Metric("records_in", "Records in", "SUM(input_records)", COUNT, "records offered"),
    Metric("records_out", "Records out", "SUM(output_records)", COUNT, "records passed on"),
    Metric("share_passed", "Pass rate", _ratio("output_records", "input_records"), SHARE, "records out / records in"),
    Metric("rejected", "Rejected", "SUM(rejected_records)", COUNT, "records rejected with a reason"),
    Metric("errors", "Errors", "SUM(error_count)", COUNT, "records that raised and were set aside"),
    Metric("created", "Created", "SUM(created_records)", COUNT, "records made beside those that came in"),
)

_RUNS = (
    Metric("run_count", "Runs", "COUNT(*)", COUNT, "runs"),
    Metric("records_in", "Records read", "SUM(total_input_records)", SHORT, "records read by the loader"),
    Metric("records_out", "Records written", "SUM(total_output_records)", SHORT, "records committed by the writer"),
    Metric(
        "share_passed",
        "Pass rate",
        _ratio("total_output_records", "total_input_records"),
        SHARE,
        "records written / records read",
    ),
    Metric("rejected", "Rejected", "SUM(rejected_records)", SHORT, "records rejected with a reason"),
    Metric("errors", "Errors", "SUM(total_errors)", SHORT, "records that operators or the loader set aside"),
    Metric("created", "Created", "SUM(created_records)", SHORT, "records that operators made beside those they got"),
    Metric(
        "records_per_second",
        "Records/s",
        _ratio("total_input_records", "duration"),
        RATE,
        "records read / seconds from start to end",
    ),
    Metric(
        "not_completed",
        "Not completed",
        "COUNT(*) FILTER (WHERE status IN ('failed', 'aborted', 'interrupted'))",
        COUNT,
        "runs that failed, were interrupted, or were killed",
    ),
    Metric(
        "unbalanced_runs",
        "Unbalanced runs",
        "COUNT(*) FILTER (WHERE NOT balanced)",
        COUNT,
        "runs in which some record is not accounted for",
    ),
)

_STAGES = (
    *_FLOW,
    Metric(
        "capacity",
        "Capacity (records/s)",
        _ratio("input_records", "total_time"),
        RATE,
        "records in / busy seconds of the busiest worker: what the stage passes on when it never waits",
    ),
    Metric("busy_seconds", "Bottleneck (s)", "SUM(total_time)", DURATION, "busy seconds of the busiest worker"),
)

_OPERATORS = (
    *_FLOW,
    Metric("unmatched", "Not matched", "SUM(unmatched_records)", COUNT, "records that did not match `when` and passed"),
    Metric(
        "worker_throughput",
        "Records/s per worker",
        _ratio("input_records", "total_time"),
        RATE,
        "records in / busy seconds over all workers",
    ),
    Metric("busy_seconds", "Busy (s)", "SUM(total_time)", DURATION, "busy seconds over all workers"),
    _percentile("p50", 0.50),
    _percentile("p95", 0.95),
    _percentile("p99", 0.99),
)

_INTERVALS = (
    *_FLOW,
    Metric(
        "records_per_second",
        "Records/s",
        _ratio("input_records", "seconds"),
        RATE,
        "records in / seconds of the intervals in which there was work",
    ),
)

_SAMPLES = (
    *_FLOW,
    Metric("busy_seconds", "Busy (s)", "SUM(busy_time)", DURATION, "busy seconds over all workers"),
    _percentile("p50", 0.50),
    _percentile("p95", 0.95),
    _percentile("p99", 0.99),
)

_NODES = (
    Metric("cpu", "CPU", "AVG(cpu_usage) / 100", ".0%", "mean share of CPU time"),
    Metric("memory", "Memory", "AVG(memory_usage) / 100", ".0%", "mean share of memory in use"),
    Metric("disk", "Disk", "MAX(disk_usage) / 100", ".0%", "largest share of the fullest file system in use"),
    Metric("network", "Network (B/s)", "AVG(network_io)", SHORT, "mean bytes per second received and sent"),
    Metric("batches_held", "Batches held", "AVG(partition_count)", RATE, "mean number of batches that workers held"),
    Metric(
        "not_active",
        "Not active",
        "COUNT(*) FILTER (WHERE status <> 'active')",
        COUNT,
        "samples of nodes that were degraded or unhealthy",
    ),
)

_SCORES = (
    Metric("failed", "Failed", "SUM(failed_records)", COUNT, "records that fail a rule"),
    Metric("failed_alone", "Failed alone", "SUM(failed_alone_records)", COUNT, "records that fail one rule alone"),
)

_SLICES = (
    Metric("input", "In", "SUM(input_records)", COUNT, "records offered"),
    Metric("rejected", "Rejected", "SUM(rejected_records)", COUNT, "records rejected"),
)

_COLUMNS = (Metric("nulls", "Nulls", "SUM(nulls)", COUNT, "records without a value"),)

DATASETS: tuple[Dataset, ...] = (
    Dataset("runs", "start_time", "A run: its records, books and status.", _RUNS),
    Dataset("stages", "timestamp", "A stage of a run.", _STAGES),
    Dataset("operators", "timestamp", "An operator of a run on one worker.", _OPERATORS),
    Dataset("samples", "timestamp", "What an operator did on one worker in an interval of some seconds.", _SAMPLES),
    Dataset("nodes", "timestamp", "The load of a node at one moment of a run.", _NODES),
    Dataset("scores", "timestamp", "A rule of a filter, with the scores of the records that it judged.", _SCORES),
    Dataset("slices", "timestamp", "A slice of the records, in an operator of a run.", _SLICES),
    Dataset("columns", "timestamp", "A column of the output of a run.", _COLUMNS),
    Dataset("stage_history", "run_start", "A stage of a run, with the run's start, pipeline and status.", _STAGES),
    Dataset("operator_history", "run_start", "An operator on one worker, with its run beside it.", _OPERATORS),
    Dataset("stage_samples", "run_start", "A stage in a step of a run, over all workers.", _INTERVALS),
    Dataset("node_history", "run_start", "The load of a node at one moment, with the run beside it.", _NODES),
    Dataset(
        "rejections",
        "run_start",
        "Records that one operator rejected on one worker for one reason.",
        (Metric("rejected", "Rejected", "SUM(records)", COUNT, "records rejected"),),
    ),
)
