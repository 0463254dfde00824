"""What every chart must show, worked out with pandas from the Parquet files alone."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mega_data_factory.exports.superset.charts.chart import Chart

KINDS = ("runs", "stages", "operators", "samples", "nodes")


def frames(metrics: Path) -> dict[str, pd.DataFrame]:
    """The datasets of the bundle, from a folder in which nothing is compacted and no segment is superseded."""
    tables = {kind: _read(metrics / kind) for kind in KINDS}
    runs = tables["runs"]
    now = pd.Timestamp.now("UTC").tz_localize(None)
    silent = (now - runs.heartbeat).dt.total_seconds() > (3 * runs.flush_interval.fillna(0)).clip(lower=15)
    runs.loc[(runs.status == "running") & silent, "status"] = "aborted"
    beside = runs[["run_id", "pipeline", "status", "start_time"]]
    beside = beside.rename(columns={"status": "run_status", "start_time": "run_start"})
    tables["stage_history"] = tables["stages"].merge(beside, on="run_id")
    tables["operator_history"] = tables["operators"].merge(beside, on="run_id")
    tables["stage_samples"] = _stage_samples(tables["samples"].merge(beside, on="run_id"))
    nodes = tables["nodes"].merge(beside, on="run_id")
    nodes["node"] = nodes.hostname
    nodes["elapsed"] = (nodes.timestamp - nodes.run_start).dt.total_seconds() // 8 * 8
    tables["node_history"] = nodes
    reasons = tables["operator_history"].dropna(subset="rejected_reasons")
    tables["rejections"] = pd.DataFrame(
        {
            **row[["run_id", "stage_name", "operator_name", "pipeline", "run_start"]],
            "reason": reason,
            "records": records,
        }
        for _, row in reasons.iterrows()
        for reason, records in json.loads(row.rejected_reasons).items()
    )
    return tables


def _read(folder: Path) -> pd.DataFrame:
    files = sorted(path for path in folder.iterdir() if path.suffix == ".parquet" and path.name[0] != ".")
    return pd.concat([pd.read_parquet(path).dropna(axis="columns", how="all") for path in files], ignore_index=True)


def _stage_samples(samples: pd.DataFrame) -> pd.DataFrame:
    samples["elapsed"] = ((samples.timestamp - samples.run_start).dt.total_seconds() // 5 * 5).clip(lower=0)
    rows = []
    for (run_id, stage), mine in samples.groupby(["run_id", "stage_name"]):
        first = mine[mine.operator_index == mine.operator_index.min()]
        for elapsed, step in mine.groupby("elapsed"):
            row = {"run_id": run_id, "stage_name": stage, "elapsed": elapsed, "pipeline": step.pipeline.iloc[0]}
            row["input_records"] = first[first.elapsed == elapsed].input_records.sum()
            rows.append(row | {"seconds": step.timestamp.nunique() * 5.0})
    return pd.DataFrame(rows)


def _ratio(part: str, whole: str) -> Callable[[pd.DataFrame], float]:
    return lambda rows: rows[part].sum() / rows[whole].sum()


def _total(column: str) -> Callable[[pd.DataFrame], float]:
    return lambda rows: rows[column].sum()


def _percentile(quantile: float) -> Callable[[pd.DataFrame], float]:
    def value(rows: pd.DataFrame) -> float:
        counts: Counter[int] = Counter()
        for histogram in rows.latency_histogram:
            for entry in histogram:
                counts[entry["bucket"]] += entry["count"]
        wanted = math.ceil(quantile * counts.total() - 1e-9)
        base = 2 ** (1 / 64)
        for bucket in sorted(counts):
            wanted -= counts[bucket]
            if wanted <= 0:
                return float(1000 * 2 * base ** (bucket + 1) / (base + 1))
        raise AssertionError

    return value


_PERCENTILES = {"p50": _percentile(0.5), "p95": _percentile(0.95), "p99": _percentile(0.99)}

_FLOW = {
    "records_in": _total("input_records"),
    "records_out": _total("output_records"),
    "share_passed": _ratio("output_records", "input_records"),
    "rejected": _total("rejected_records"),
    "errors": _total("error_count"),
    "capacity": _ratio("input_records", "total_time"),
    "worker_throughput": _ratio("input_records", "total_time"),
    "busy_seconds": _total("total_time"),
}

METRICS: dict[str, dict[str, Callable[[pd.DataFrame], float]]] = {
    "runs": {
        "run_count": len,
        "records_in": _total("total_input_records"),
        "share_passed": _ratio("total_output_records", "total_input_records"),
        "errors": _total("total_errors"),
        "not_completed": lambda rows: rows.status.isin(["failed", "aborted", "interrupted"]).sum(),
        "unbalanced_runs": lambda rows: (rows.balanced == False).sum(),  # noqa: E712 - null is not open
    },
    "stage_history": _FLOW,
    "operator_history": _FLOW | _PERCENTILES | {"unmatched": _total("unmatched_records")},
    "stage_samples": {"records_per_second": _ratio("input_records", "seconds")},
    "node_history": {
        "cpu": lambda rows: rows["cpu_usage"].mean() / 100,
        "memory": lambda rows: rows["memory_usage"].mean() / 100,
    },
    "rejections": {"rejected": _total("records")},
}


def columns_of(chart: Chart) -> list[str]:
    """The columns that a chart groups by, or shows as they are."""
    return [column if isinstance(column, str) else column["sqlExpression"] for column in chart.query.get("columns", ())]


def expected(chart: Chart, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows behind a chart: its columns and metrics, before Superset pivots or sorts them."""
    rows = tables[chart.dataset]
    by = columns_of(chart)
    if not chart.query["metrics"]:
        return rows[by]
    functions = METRICS[chart.dataset]
    groups = [((), rows)] if not by else rows.groupby(by)
    return pd.DataFrame(
        dict(zip(by, key, strict=True)) | {name: functions[name](group) for name in chart.query["metrics"]}
        for key, group in groups
    )


def assert_same(actual: pd.DataFrame, wanted: pd.DataFrame, by: list[str]) -> None:
    """The same rows in any order, numbers to nine digits."""
    order = by or list(wanted.columns)
    left, right = (
        frame[list(wanted.columns)]
        .sort_values(order, ignore_index=True)
        .astype(object)
        .where(lambda cells: cells.notna(), None)
        for frame in (actual, wanted)
    )
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-9)
