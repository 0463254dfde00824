"""Families of a run and of its exporters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mega_data_factory.exports.cardinality import label
from mega_data_factory.exports.families.family import Family, Kind, Point, flow_points, seconds_since_epoch
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot

STATUSES = ("running", "completed", "failed", "interrupted")

_RUN: Sequence[tuple[str, Kind, str, str, str]] = (
    ("mdf.run.duration", "gauge", "s", "Seconds since the run started, or that it took.", "duration"),
    (
        "mdf.run.planned.records",
        "gauge",
        "{record}",
        "Records of the source, where it knows.",
        "planned_records",
    ),
    ("mdf.run.committed.records", "counter", "{record}", "Records in finished files.", "committed_records"),
    ("mdf.run.dead_lettered.records", "counter", "{record}", "Records that killed workers.", "dead_lettered_records"),
    ("mdf.run.loader.errors", "counter", "{record}", "Records that could not be read.", "loader_errors"),
    ("mdf.run.batches", "counter", "{batch}", "Batches committed.", "batches"),
    ("mdf.run.retried.batches", "counter", "{batch}", "Batches that took more than one attempt.", "retried_batches"),
    ("mdf.run.output.files", "counter", "{file}", "Files written.", "output_files"),
    ("mdf.run.output", "counter", "By", "Bytes written.", "output_bytes"),
    ("mdf.run.loader.busy", "counter", "s", "Seconds busy reading, over all workers.", "loader_seconds"),
    ("mdf.run.writer.busy", "counter", "s", "Seconds busy writing, over all workers.", "writer_seconds"),
    ("mdf.run.instrumentation", "counter", "s", "Seconds that measuring itself took.", "instrumentation_seconds"),
    ("mdf.run.flush.failures", "counter", "{failure}", "Failed attempts to write metrics files.", "flush_failures"),
    (
        "mdf.run.balanced",
        "gauge",
        "",
        "1 when every record is accounted for, else 0; absent before.",
        "balanced",
    ),
    ("mdf.run.unbalanced.records", "gauge", "{record}", "Records not accounted for.", "unbalanced_records"),
)
"""Name, kind, unit, help, column of the run row."""


def run_families(snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
    """Yield the families of the run itself."""
    run = snapshot.run
    info = {**base, "engine": label(run.engine), "version": label(run.mdf_version)}
    yield Family("mdf.run.info", "gauge", "", "What runs; always 1.", [Point(info, 1)])
    states = [Point({**base, "status": status}, float(run.status == status)) for status in STATUSES]
    yield Family("mdf.run.status", "gauge", "", "1 for the status that the run has, 0 for the others.", states)
    yield Family(
        "mdf.run.records",
        "counter",
        "{record}",
        "Records read by the loader (in) and committed by the writer (out).",
        flow_points(base, run.total_input_records, run.total_output_records),
    )
    text = "Bytes of text into the first, out of the last stage."
    points = flow_points(base, run.input_text_bytes, run.output_text_bytes)
    yield Family("mdf.run.text", "counter", "By", text, points)
    text = "Tokens into the first, out of the last stage."
    points = flow_points(base, run.input_tokens, run.output_tokens)
    yield Family("mdf.run.tokens", "counter", "{token}", text, points)
    text = "Records past all stages whose file is not finished."
    yield Family("mdf.run.in_flight.records", "gauge", "{record}", text, [Point(base, snapshot.in_flight.records)])
    text = "Share of the source that has passed all stages, by records, bytes or splits; absent while unknown."
    shares = [] if run.source_share is None else [Point({**base, "by": label(run.source_unit)}, run.source_share)]
    yield Family("mdf.run.progress", "gauge", "1", text, shares)
    for what, moment in (("start", run.start_time), ("end", run.end_time), ("heartbeat", run.heartbeat)):
        points = [] if moment is None else [Point(base, seconds_since_epoch(moment) or 0.0)]
        yield Family(f"mdf.run.{what}.timestamp", "gauge", "s", f"Unix time of the run's {what}.", points)
    for name, kind, unit, text, column in _RUN:
        value = getattr(run, column)
        yield Family(name, kind, unit, text, [] if value is None else [Point(base, float(value))])


def exporter_families(snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
    """Yield the families of the exporters' health."""
    rows = [({**base, "exporter": label(health.exporter)}, health) for health in snapshot.exports]
    failures = [Point(names, health.failures) for names, health in rows]
    yield Family("mdf.export.failures", "counter", "{failure}", "Exports that failed.", failures)
    successes = [
        Point(names, moment)
        for names, health in rows
        if (moment := seconds_since_epoch(health.last_success)) is not None
    ]
    text = "Unix time of the last export that succeeded."
    yield Family("mdf.export.success.timestamp", "gauge", "s", text, successes)
