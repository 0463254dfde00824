"""What the Grafana dashboard shows: panels and their queries, over the names of `exports.families`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

RUN = 'pipeline=~"$pipeline"'
STAGE = f'{RUN}, stage=~"$stage"'
OPERATOR = "pipeline, stage, operator"

GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True)
class Query:
    """A query of a panel.

    Attributes:
        expr: PromQL over `$pipeline`, `$stage` and `$window`.
        legend: what a series is called.
    """

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel of any type.

    Attributes:
        title: what it shows.
        text: how to read it.
        queries: what it asks.
        unit: Grafana's name of the unit.
        width: of 24 columns.
        steps: value from which on a colour holds.
        stacked: whether series lie on one another.
        named: whether a single value shows the series' name and not its number.
    """

    title: str
    text: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 12
    steps: Sequence[tuple[float | None, str]] = field(default=())
    stacked: bool = False
    named: bool = False


def records_of_run(direction: str) -> str:
    """Return records into or out of the runs."""
    return f'sum(mdf_run_records_total{{{RUN}, direction="{direction}"}})'


def quantile(q: float) -> Query:
    """Return a percentile of the seconds per record, by operator."""
    rate = f"sum by (le, {OPERATOR}) (rate(mdf_operator_latency_seconds_bucket{{{STAGE}}}[$window]))"
    return Query(f"histogram_quantile({q}, {rate})", f"p{q * 100:g} {{{{operator}}}}")


def per_second(name: str, by: str, legend: str, where: str = STAGE) -> Query:
    """Return the rate of a counter."""
    return Query(f"sum by ({by}) (rate({name}{{{where}}}[$window]))", legend)


STATE = [
    Panel(
        "Status",
        "The status of the run; several while several run.",
        [Query(f"max by (pipeline, status) (mdf_run_status{{{RUN}}}) == 1", "{{status}}")],
        width=3,
        named=True,
    ),
    Panel("Records in", "Read, and accounted for in finished files.", [Query(records_of_run("in"))], width=3),
    Panel("Records out", "Committed by the writer.", [Query(records_of_run("out"))], width=3),
    Panel(
        "Pass rate",
        "Records out of records in.",
        [Query(f"{records_of_run('out')} / {records_of_run('in')}")],
        "percentunit",
        3,
    ),
    Panel(
        "In flight",
        "Records past all stages whose file is not finished yet.",
        [Query(f"sum(mdf_run_in_flight_records{{{RUN}}})")],
        width=3,
    ),
    Panel(
        "Silence",
        "Seconds since the driver was last heard of. It speaks every few seconds.",
        [Query(f"max(time() - mdf_run_heartbeat_timestamp_seconds{{{RUN}}})")],
        "s",
        3,
        ((None, GREEN), (60, ORANGE), (120, RED)),
    ),
    Panel(
        "Records unaccounted for",
        "Absent during a run; 0 when its books balance.",
        [Query(f"max(mdf_run_unbalanced_records{{{RUN}}})")],
        width=3,
        steps=((None, GREEN), (1, RED)),
    ),
    Panel(
        "Failed exports",
        "Attempts to export metrics, or to write them, that failed.",
        [Query(f"sum(mdf_export_failures_total{{{RUN}}}) + sum(mdf_run_flush_failures_total{{{RUN}}})")],
        width=3,
        steps=((None, GREEN), (1, ORANGE)),
    ),
]

FLOW = [
    Panel(
        "Records per second into stages",
        "Counted when a file is finished: steps are files, not stalls.",
        [per_second("mdf_stage_records_total", "pipeline, stage", "{{stage}}", f'{STAGE}, direction="in"')],
    ),
    Panel(
        "Pass rate of operators",
        "Records passed on of records offered, over the window.",
        [
            Query(
                f'sum by ({OPERATOR}) (rate(mdf_operator_records_total{{{STAGE}, direction="out"}}[$window]))'
                f' / sum by ({OPERATOR}) (rate(mdf_operator_records_total{{{STAGE}, direction="in"}}[$window]))',
                "{{operator}}",
            )
        ],
        "percentunit",
    ),
    Panel(
        "Rejected records per second, by reason",
        "The first ten reasons of each operator have their own name.",
        [per_second("mdf_operator_rejected_records_total", "operator, reason", "{{operator}}: {{reason}}")],
        stacked=True,
    ),
    Panel(
        "Errors per second",
        "Records that raised and were set aside, and records that could not be read.",
        [
            per_second("mdf_operator_errors_total", OPERATOR, "{{operator}}"),
            per_second("mdf_run_loader_errors_total", "pipeline", "loader", RUN),
        ],
    ),
]

WORK = [
    Panel(
        "Seconds per record",
        "Percentiles over all workers, by records; interpolated between powers of two.",
        [quantile(0.5), quantile(0.95), quantile(0.99)],
        "s",
    ),
    Panel(
        "Busy workers",
        "Seconds busy per second: how many workers each operator keeps busy. The largest limits.",
        [
            per_second("mdf_operator_busy_seconds_total", OPERATOR, "{{operator}}"),
            per_second("mdf_run_loader_busy_seconds_total", "pipeline", "loader", RUN),
            per_second("mdf_run_writer_busy_seconds_total", "pipeline", "writer", RUN),
        ],
        stacked=True,
    ),
    Panel(
        "Workers",
        "Distinct workers of each stage so far.",
        [Query(f"sum by (pipeline, stage) (mdf_stage_workers{{{STAGE}}})", "{{stage}}")],
    ),
    Panel(
        "Backlog",
        "Batches that wait for a stage or that its workers hold.",
        [Query(f"sum by (pipeline, stage) (mdf_stage_backlog{{{STAGE}}})", "{{stage}}")],
    ),
]


def of_node(title: str, text: str, metric: str, unit: str = "short") -> Panel:
    """Return a gauge of every node."""
    return Panel(title, text, [Query(f"mdf_node_{metric}{{{RUN}}}", "{{node}}")], unit, width=8)


NODES = [
    of_node("CPU", "Share of CPU time in use.", "cpu_usage_ratio", "percentunit"),
    of_node("Memory", "Share of memory in use.", "memory_usage_ratio", "percentunit"),
    of_node("Disk", "Share in use of the fullest file system.", "disk_usage_ratio", "percentunit"),
    of_node("Network", "Bytes received and sent.", "network_io_bytes_per_second", "Bps"),
    of_node("Disk traffic", "Bytes read and written.", "disk_io_bytes_per_second", "Bps"),
    of_node("Disk operations", "Reads and writes.", "disk_operations_per_second", "iops"),
    of_node("Batches held", "Batches that the workers of a node hold.", "partitions"),
    Panel(
        "GPU",
        "Share of time that kernels ran, and of memory in use; empty without GPUs.",
        [
            Query(f"mdf_node_gpu_usage_ratio{{{RUN}}}", "{{node}}"),
            Query(f"mdf_node_gpu_memory_usage_ratio{{{RUN}}}", "{{node}} memory"),
        ],
        "percentunit",
        8,
    ),
    Panel(
        "Nodes that are not well",
        "By status.",
        [Query(f'sum by (status) (mdf_run_nodes{{{RUN}, status!="active"}})', "{{status}}")],
        width=8,
    ),
]

OPERATORS = Panel(
    "Operators",
    "Since the start of the run, or of the part that Prometheus has seen.",
    [
        Query(f'sum by ({OPERATOR}) (mdf_operator_records_total{{{STAGE}, direction="in"}})', "in"),
        Query(f'sum by ({OPERATOR}) (mdf_operator_records_total{{{STAGE}, direction="out"}})', "out"),
        Query(f"sum by ({OPERATOR}) (mdf_operator_errors_total{{{STAGE}}})", "errors"),
        Query(f"sum by ({OPERATOR}) (mdf_operator_busy_seconds_total{{{STAGE}}})", "busy"),
        Query(
            f"histogram_quantile(0.99, sum by (le, {OPERATOR}) (mdf_operator_latency_seconds_bucket{{{STAGE}}}))", "p99"
        ),
    ],
    width=24,
)
