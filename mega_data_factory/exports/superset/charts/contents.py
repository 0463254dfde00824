"""Contents of the dashboard: its charts, row by row."""

from __future__ import annotations

from dataclasses import dataclass

from mega_data_factory.exports.superset.charts.axes import bars, boxes, dots, heat_map, line
from mega_data_factory.exports.superset.charts.chart import Chart, big_number
from mega_data_factory.exports.superset.charts.tables import groups, rows
from mega_data_factory.exports.superset.datasets import COUNT, RATE, SECONDS, SHARE, SHORT

COLUMNS = 12
"""Widths in a row add up to this."""


@dataclass(frozen=True)
class Placed:
    """A chart in a row.

    Attributes:
        chart: the chart.
        width: of `COLUMNS`.
    """

    chart: Chart
    width: int


@dataclass(frozen=True)
class Row:
    """Charts beside each other.

    Attributes:
        height: in units of 8 pixels.
        charts: from left to right.
    """

    height: int
    charts: tuple[Placed, ...]


@dataclass(frozen=True)
class Section:
    """Rows under a heading."""

    heading: str
    rows: tuple[Row, ...]


def _runs(title: str, metric: str, number_format: str, description: str) -> Placed:
    return Placed(big_number(title, "runs", "start_time", metric, number_format, description), 2)


def _load(title: str, metric: str, y_title: str, description: str) -> Chart:
    return line(
        title,
        "node_history",
        "run_start",
        metric,
        "node",
        x="elapsed",
        x_title="seconds since the start of the run",
        y_title=y_title,
        number_format=".0%",
        bounds=(0, 1),
        description=description,
    )


_NUMBERS = (
    _runs("Runs", "run_count", COUNT, "Runs that started in the time range."),
    _runs("Records read", "records_in", SHORT, "By the loaders of these runs."),
    _runs("Pass rate", "share_passed", SHARE, "Records written of records read, over these runs."),
    _runs("Errors", "errors", SHORT, "Records that raised and were set aside."),
    _runs("Not completed", "not_completed", COUNT, "Runs that failed, were interrupted or were killed."),
    _runs("Unbalanced runs", "unbalanced_runs", COUNT, "Runs in which some record is not accounted for. 0 is right."),
)

_OVER_TIME = (
    Placed(
        dots(
            "Stage capacity over time",
            "stage_history",
            "run_start",
            "capacity",
            ["pipeline", "stage_name"],
            y_title="records / s",
            number_format=SHORT,
            description="Capacity of every stage, a point per run: records in / busy seconds of its busiest worker.",
        ),
        6,
    ),
    Placed(
        dots(
            "Pass rate over time",
            "stage_history",
            "run_start",
            "share_passed",
            ["pipeline", "stage_name"],
            y_title="records out / in",
            number_format=".0%",
            bounds=(0, None),
            description="What share of its records every stage passed on, a point per run.",
        ),
        6,
    ),
)

_COMPARISON = (
    Placed(
        bars(
            "Stage capacity",
            "stage_history",
            "run_start",
            "stage_name",
            ["capacity"],
            value_title="records / s",
            number_format=SHORT,
            description="Records in / busy seconds of the busiest worker. The shortest bar limits the pipeline.",
        ),
        4,
    ),
    Placed(
        bars(
            "Operator comparison",
            "operator_history",
            "run_start",
            "operator_name",
            ["busy_seconds"],
            value_title="busy seconds",
            number_format=SECONDS,
            horizontal=True,
            description="Where the time went: seconds busy over all workers.",
        ),
        4,
    ),
    Placed(
        bars(
            "Rejections by reason",
            "rejections",
            "run_start",
            "reason",
            ["rejected"],
            value_title="records",
            number_format=SHORT,
            horizontal=True,
            description="Why records were left out.",
        ),
        4,
    ),
)

_LATENCY = (
    Placed(
        boxes(
            "Latency p50, p95, p99",
            "operator_history",
            "run_start",
            "stage_name",
            ["run_id", "operator_name", "worker_id"],
            ["p50", "p95", "p99"],
            y_title="ms / record",
            description="Milliseconds per record. A box is the spread of a percentile over operators and workers.",
        ),
        6,
    ),
    Placed(
        bars(
            "Latency of operators",
            "operator_history",
            "run_start",
            "operator_name",
            ["p99", "p95", "p50"],
            value_title="ms / record",
            number_format=",.2~f",
            horizontal=True,
            description="Milliseconds per record over all that is chosen, from added histograms.",
        ),
        6,
    ),
)

_HEAT = Placed(
    heat_map(
        "Stage capacity by run",
        "stage_history",
        "run_start",
        "stage_name",
        "capacity",
        number_format=SHORT,
        description="Capacity of every stage, a column per run: records in / busy seconds of its busiest worker.",
    ),
    12,
)

_WITHIN = (
    Placed(
        line(
            "Throughput within a run",
            "stage_samples",
            "run_start",
            "records_per_second",
            "stage_name",
            x="elapsed",
            x_title="seconds since the start of the run",
            y_title="records / s",
            number_format=SHORT,
            description="Records per second into every stage, from samples of some seconds; of several runs the mean.",
        ),
        4,
    ),
    Placed(_load("Node CPU", "cpu", "of all cores", "Share of CPU time of every node; of several runs the mean."), 4),
    Placed(_load("Node memory", "memory", "of all memory", "Share of memory in use; of several runs the mean."), 4),
)

_OPERATOR_TABLE = Placed(
    groups(
        "Operators",
        "operator_history",
        "run_start",
        ["stage_name", "operator_name"],
        [
            "worker_throughput",
            "busy_seconds",
            "records_in",
            "records_out",
            "unmatched",
            "share_passed",
            "rejected",
            "errors",
            "p50",
            "p95",
            "p99",
        ],
        description="Every operator over all that is chosen, the slowest first; percentiles from added histograms.",
    ),
    12,
)

_RUN_TABLE = Placed(
    rows(
        "Run details",
        "runs",
        "start_time",
        {
            "start_time": None,
            "run_id": None,
            "pipeline": None,
            "status": None,
            "duration": RATE,
            "total_input_records": COUNT,
            "total_output_records": COUNT,
            "overall_pass_rate": RATE,
            "avg_throughput": RATE,
            "total_errors": COUNT,
            "unbalanced_records": COUNT,
            "error": None,
        },
        description="Every run, the newest first: seconds, records, percent, records per second.",
    ),
    12,
)

SECTIONS: tuple[Section, ...] = (
    Section("Runs", (Row(16, _NUMBERS), Row(46, _OVER_TIME))),
    Section("Stages and operators", (Row(46, _COMPARISON), Row(50, _LATENCY), Row(40, (_HEAT,)))),
    Section("Inside the runs", (Row(44, _WITHIN),)),
    Section("Details", (Row(54, (_OPERATOR_TABLE,)), Row(54, (_RUN_TABLE,)))),
)

CHARTS: tuple[Chart, ...] = tuple(placed.chart for section in SECTIONS for row in section.rows for placed in row.charts)
