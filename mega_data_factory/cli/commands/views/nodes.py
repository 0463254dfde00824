"""`mdf nodes`: what the machines under a run do, now or when it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from mega_data_factory.cli.display.columns import Row, RowColumn, fitted, left_out_note, row_table
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.clock import utc_now
from mega_data_factory.formats import NOTHING, byte_rate, count, percent, plural, size, three_digits, whole_seconds
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.nodes.probes.health import ACTIVE, DEGRADED, STATUSES, UNHEALTHY

_COLOURS = {ACTIVE: "green", DEGRADED: "yellow", UNHEALTHY: "bold red"}

_REFRESH = 1.0
"""Seconds from one look at the store to the next ..."""

_SHARE = 0.1
"""... or longer, so that reading takes at most this share of the time."""

_ID_SHOWN = 8
"""Letters of a node's id that are shown."""


@dataclass(frozen=True)
class NodesView:
    """The newest sample of every node of a run.

    Attributes:
        run: the row of the run.
        rows: the samples, by name of the machine and id.
        now: when they were read, naive UTC.
    """

    run: Row
    rows: Sequence[Row]
    now: datetime

    @classmethod
    def from_run(cls, reader: MetricsReader, run_id: str) -> NodesView:
        """Return the nodes of a run as they are stored now.

        Raises:
            MetricsError: there is no such run any more.
        """
        newest = newest_rows(reader.nodes(run_id)).to_pylist()
        rows = sorted(newest, key=lambda row: (row["hostname"] or "", row["node_id"]))
        return cls(reader.run(run_id), rows, utc_now())

    @property
    def running(self) -> bool:
        """Whether the run is in progress."""
        return bool(self.run["status"] == "running")

    def age(self, row: Row) -> float:
        """Return the seconds since a sample was taken; of a run that has ended, up to its end."""
        end = self.now if self.running else self.run["end_time"] or self.run["heartbeat"] or self.now
        return max(0.0, float((end - row["timestamp"]).total_seconds()))

    def as_json(self) -> dict[str, Any]:
        """Return plain values: the run, its status, and every row with its age in seconds."""
        rows = [{**row, "age": self.age(row)} for row in self.rows]
        return {"run_id": self.run["run_id"], "status": self.run["status"], "nodes": rows}

    def screen(self, width: int) -> RenderableType:
        """Return the table, with a line for every node that is not well."""
        if not self.rows:
            hint = "metrics.node_interval says how often nodes are sampled; 0 switches it off"
            return Text(f"{self.run['run_id']} {self.run['status']}: no node was sampled\n  hint: {hint}")
        made, left_out = fitted(self._columns(), lambda columns: row_table(self.rows, columns), width)
        ill = [row for row in self.rows if row["status_reason"]]
        lines = [Text(f"{_name(row)}: {row['status_reason']}", style=_COLOURS.get(row["status"], "")) for row in ill]
        notes = [Text(note, style="dim") for note in left_out_note(left_out)]
        return Group(self._head(), made, *lines, *notes)

    def _head(self) -> Text:
        number = Counter(row["status"] for row in self.rows)
        found = ", ".join(f"{number[status]} {status}" for status in STATUSES if number[status])
        return Text.assemble(
            (self.run["run_id"], "bold"), f" {self.run['status']}: {plural(len(self.rows), 'node')}, {found}"
        )

    def _columns(self) -> list[RowColumn]:
        """Return the columns that have values: without a GPU, no column of GPUs."""
        age = RowColumn("age" if self.running else "before end", lambda row: whole_seconds(self.age(row)))
        return [column for column in _COLUMNS if column.always or self._any(column)] + [age]

    def _any(self, column: RowColumn) -> bool:
        return any(column.cell(row) != NOTHING for row in self.rows)


def _status(row: Row) -> str:
    colour = _COLOURS.get(row["status"])
    return escape(row["status"] or "") if colour is None else f"[{colour}]{row['status']}[/]"


def _name(row: Row) -> str:
    """Return the machine, and the beginning of Ray's id if that is another name."""
    host = row["hostname"]
    return row["node_id"] if host in (None, row["node_id"]) else f"{host} {row['node_id'][:_ID_SHOWN]}"


def _operations(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f} /s" if value >= 100 or value == 0 else f"{three_digits(max(value, 0.01))} /s"


_COLUMNS = (
    RowColumn("node", lambda row: escape(_name(row)), right=False),
    RowColumn("status", _status, right=False),
    RowColumn("CPU", lambda row: percent(row["cpu_usage"])),
    RowColumn("cores", lambda row: NOTHING if row["cpu_count"] is None else f"{row['cpu_count']:g}", goes=1),
    RowColumn("memory", lambda row: percent(row["memory_usage"])),
    RowColumn("of", lambda row: size(row["memory_total"]), goes=2),
    RowColumn("disk", lambda row: percent(row["disk_usage"])),
    RowColumn("network", lambda row: byte_rate(row["network_io"]), goes=6),
    RowColumn("disk I/O", lambda row: byte_rate(row["disk_io"]), goes=5),
    RowColumn("operations", lambda row: _operations(row["iops"]), goes=3),
    RowColumn("objects", lambda row: size(row["object_store_memory"]), goes=4, always=False),
    RowColumn("GPU", lambda row: percent(row["gpu_usage"]), always=False),
    RowColumn("GPU memory", lambda row: percent(row["gpu_memory_usage"]), goes=7, always=False),
    RowColumn("workers", lambda row: count(row["num_workers"]), goes=8),
    RowColumn("batches", lambda row: count(row["partition_count"])),
)


def newest_rows(nodes: pa.Table) -> pa.Table:
    """Return the last row of every node of a table that is sorted by time."""
    places = nodes.select(["node_id"]).append_column("place", pa.array(range(len(nodes)), pa.int64()))
    last = places.group_by("node_id").aggregate([("place", "max")])
    return nodes.take(last["place_max"])


def show_nodes(metrics: str, run: str, *, watch: bool | None, as_json: bool) -> int:
    """Show the nodes of a run.

    Args:
        metrics: the metrics folder.
        run: id, unique beginning of one, or `latest`.
        watch: repeat until the run has ended; if None, only on a terminal.
        as_json: print one JSON document: `run_id`, `status`, `nodes` with the columns of the table and `age`.

    Raises:
        MetricsError: there is no such run, or several.
    """
    reader = open_store(metrics)
    run_id = reader.resolve(run)
    view = NodesView.from_run(reader, run_id)
    console = stdout()
    if as_json:
        print_json(view.as_json())
    elif view.running and (console.is_terminal if watch is None else watch):
        _watch(reader, view, console)
    else:
        console.print(view.screen(console.width))
    return SUCCESS


def _watch(reader: MetricsReader, view: NodesView, console: Console) -> None:
    """Show the nodes until the run has ended, or the user has seen enough."""
    try:
        with Live(view.screen(console.width), console=console, auto_refresh=False) as live:
            took = 0.0
            while view.running:
                time.sleep(max(_REFRESH, took / _SHARE))
                started = time.monotonic()
                view = NodesView.from_run(reader, view.run["run_id"])
                live.update(view.screen(console.width), refresh=True)
                took = time.monotonic() - started
    except KeyboardInterrupt:
        return
