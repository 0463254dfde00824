"""Parquet schema of the metrics: one literal per table, a comment per column, and a version.

The columns of the published layout come first, in its order and types; the extension follows. Files carry the version;
the comments stay here, for they would be half of a small file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from mega_data_factory import strict_json

HISTORY: dict[int, str] = {
    0: "the columns of the published layout; nothing in the file says its version",
    1: "runs, stages and operators have the columns of this package; the file says version and run",
    2: "samples; in runs the heartbeat and who writes it; comments of columns are no longer in the files",
    3: "nodes; in runs the exports that failed",
    4: "in runs the records that could not be written, and where the output is; `balanced` was `books_closed`, "
    "`unbalanced_records` was `books_difference`; in nodes the CPU that the run itself used; in runs "
    "`processed_records`, which holds what `committed_records` did: that is records in files now; "
    "in operators the bytes that came in, and the records that a condition let pass; on three levels what has passed "
    "a stage and is in no file yet; in runs the time that its workers took to start; on three levels and in samples "
    "the records that operators create; in operators and samples the seconds of CPU; "
    "on three levels bytes of text and tokens, in and out; "
    "in operators the records that refiners change; the tables scores, slices and columns",
}
"""Changes of each version of the files."""

SCHEMA_VERSION = max(HISTORY)
"""The version of files written now. A reader reads all before it; what they lack is null."""

EARLIER_NAMES: dict[str, dict[str, str]] = {
    "runs": {"balanced": "books_closed", "unbalanced_records": "books_difference"},
}
"""Table → column → what files before version 4 call it. It is read under the new name."""

VERSION_KEY = b"mdf.schema_version"
RUN_ID_KEY = b"mdf.run_id"
MOMENT_KEY = b"mdf.moment"
"""In the files of the three levels of a run in progress: the moment of the snapshot that they hold."""

LEVELS = ("runs", "stages", "operators")
"""Tables that are written over, together, as a run progresses."""
WRITER_KEY = b"mdf.writer"
"""Who wrote the file of a run: an id that two processes do not share."""

_TIME = pa.timestamp("us")
_COUNT = pa.int64()
_REAL = pa.float64()
_TEXT = pa.string()
_HISTOGRAM = pa.list_(pa.struct([("bucket", pa.int32()), ("count", pa.int64())]))


def _table(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    fields = [pa.field(name, kind, metadata={"comment": comment}) for name, kind, comment in columns]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})


OPERATORS = _table(
    ("run_id", _TEXT, "the run"),
    ("stage_name", _TEXT, "the stage"),
    ("operator_name", _TEXT, "the operator instance, distinct within the stage"),
    ("worker_id", _TEXT, "the worker"),
    ("timestamp", _TIME, "when last measured, naive UTC"),
    ("input_records", _COUNT, "records offered to the operator by committed batches"),
    ("output_records", _COUNT, "records passed on by committed batches"),
    ("pass_rate", _REAL, "100 * output / input, percent; null when nothing came in"),
    ("total_time", _REAL, "seconds busy in this operator on this worker, monotonic clock"),
    ("avg_latency", _REAL, "total_time / input_records, seconds per record"),
    ("min_latency", _REAL, "least seconds per record of any batch"),
    ("max_latency", _REAL, "most seconds per record of any batch"),
    ("p50_latency", _REAL, "median of seconds per record, weighted by records, relative error <= 0.6 %"),
    ("p95_latency", _REAL, "95th percentile of seconds per record, same weight and error"),
    ("p99_latency", _REAL, "99th percentile of seconds per record, same weight and error"),
    ("throughput", _REAL, "input_records / total_time, records per second busy"),
    ("error_count", _COUNT, "records that raised and were set aside"),
    ("custom_metrics", _TEXT, "JSON object: numbers the operator reported"),
    ("stage_index", pa.int32(), "place of the stage in the plan, from 0"),
    ("operator_index", pa.int32(), "place of the operator in the stage, from 0"),
    ("rejected_records", _COUNT, "records rejected with a reason"),
    ("batches", _COUNT, "batches measured"),
    ("rejected_reasons", _TEXT, "JSON object: records rejected, by reason"),
    ("latency_histogram", _HISTOGRAM, "records by bucket: (2^(bucket/64), 2^((bucket+1)/64)] seconds per record"),
    ("unmatched_records", _COUNT, "of the output, records that did not match `when` and passed untouched"),
    ("uncommitted_input_records", _COUNT, "records offered by batches that passed the stage and are in no file yet"),
    ("uncommitted_output_records", _COUNT, "records passed on by these batches; in no other column"),
    ("uncommitted_time", _REAL, "seconds busy with these batches; in no other column"),
    ("input_bytes", _COUNT, "bytes in memory of the records offered, in the first operator of a stage; 0 in others"),
    ("created_records", _COUNT, "records made beside those that came in: input + created = output + rejected + errors"),
    ("cpu_time", _REAL, "seconds of CPU of the worker process while busy in this operator; 0 if not measured"),
    ("input_text_bytes", _COUNT, "bytes of text in the records offered; null if there is no text column"),
    ("output_text_bytes", _COUNT, "bytes of text in the records passed on; null if there is no text column"),
    ("input_tokens", _COUNT, "tokens in the records offered; null if no column holds their number"),
    ("output_tokens", _COUNT, "tokens in the records passed on; null if no column holds their number"),
    ("changed_records", _COUNT, "of the output, records whose values the operator changed; null unless a refiner"),
)

STAGES = _table(
    ("run_id", _TEXT, "the run"),
    ("stage_name", _TEXT, "the stage"),
    ("timestamp", _TIME, "when last measured, naive UTC"),
    ("num_workers", _COUNT, "distinct workers"),
    ("input_records", _COUNT, "input of the first operator, over all workers"),
    ("output_records", _COUNT, "output of the last operator, over all workers"),
    ("pass_rate", _REAL, "100 * output / input, percent; null when nothing came in"),
    ("total_time", _REAL, "bottleneck time: busy seconds of the busiest worker"),
    ("avg_throughput", _REAL, "mean over workers of records in / busy seconds of that worker"),
    ("min_throughput", _REAL, "least over workers of the same"),
    ("max_throughput", _REAL, "most over workers of the same"),
    ("error_count", _COUNT, "records that raised and were set aside, over all operators"),
    ("stage_index", pa.int32(), "place of the stage in the plan, from 0"),
    ("rejected_records", _COUNT, "records rejected, over all operators"),
    ("uncommitted_input_records", _COUNT, "input of the first operator by batches that are in no file yet"),
    ("uncommitted_output_records", _COUNT, "output of the last operator by these batches; in no other column"),
    ("created_records", _COUNT, "records made beside those that came in, over all operators"),
    ("input_text_bytes", _COUNT, "bytes of text that came in to the first operator; null if not counted"),
    ("output_text_bytes", _COUNT, "bytes of text that the last operator passed on; null if not counted"),
    ("input_tokens", _COUNT, "tokens that came in to the first operator; null if not counted"),
    ("output_tokens", _COUNT, "tokens that the last operator passed on; null if not counted"),
)

RUNS = _table(
    ("run_id", _TEXT, "the run"),
    ("start_time", _TIME, "when it started, naive UTC"),
    ("end_time", _TIME, "when it ended, naive UTC; null while it runs"),
    ("duration", _REAL, "seconds from start to end, monotonic clock"),
    ("num_stages", _COUNT, "stages"),
    ("total_input_records", _COUNT, "records read by the loader"),
    ("total_output_records", _COUNT, "records committed by the writer"),
    ("overall_pass_rate", _REAL, "100 * total output / total input, percent; null when nothing came in"),
    ("avg_throughput", _REAL, "total_input_records / duration, records per second"),
    ("total_errors", _COUNT, "records that operators, the loader or the writer set aside"),
    ("config", _TEXT, "JSON object: the configuration; null when none was given"),
    ("status", _TEXT, "completed, failed, interrupted or running"),
    ("error", _TEXT, "what made it fail; null when it did not"),
    ("pipeline", _TEXT, "name of the pipeline"),
    ("engine", _TEXT, "what moved the batches"),
    ("mdf_version", _TEXT, "version of this package"),
    ("planned_records", _COUNT, "records of the source; while it runs null if only reading tells"),
    ("committed_records", _COUNT, "records in output files that the writer has acknowledged"),
    ("dead_lettered_records", _COUNT, "records set aside because they took their worker down"),
    ("rejected_records", _COUNT, "records rejected with a reason, over all stages"),
    ("loader_errors", _COUNT, "records that could not be read"),
    ("batches", _COUNT, "batches committed"),
    ("retried_batches", _COUNT, "batches that took more than one attempt"),
    ("output_files", _COUNT, "files written"),
    ("output_bytes", _COUNT, "bytes written"),
    ("loader_seconds", _REAL, "seconds busy reading, over all workers"),
    ("writer_seconds", _REAL, "seconds busy writing, over all workers"),
    ("instrumentation_seconds", _REAL, "seconds that measuring itself took, writing included"),
    ("balanced", pa.bool_(), "whether every record is accounted for; null when not checked"),
    ("unbalanced_records", _COUNT, "records not accounted for; 0 when the books balance"),
    ("heartbeat", _TIME, "when this row was last written, naive UTC; an old one of a running run means it was killed"),
    ("flush_interval", _REAL, "seconds from one heartbeat to the next, while it runs"),
    ("flush_failures", _COUNT, "how often these metrics could not be written, and were again later"),
    ("hostname", _TEXT, "machine of the driver"),
    ("pid", _COUNT, "process of the driver"),
    ("export_failures", _COUNT, "how often metrics could not be exported to other systems while it ran"),
    ("writer_errors", _COUNT, "records that the writer could not write"),
    ("paths", _TEXT, "JSON object: where output, errors, dead letters and rejected samples go"),
    ("processed_records", _COUNT, "records of committed batches that went to operators: neither unreadable nor dead"),
    ("uncommitted_input_records", _COUNT, "records read whose batches passed all stages and are in no file yet"),
    ("uncommitted_output_records", _COUNT, "of these, records that wait to be written; in no other column"),
    ("source_share", _REAL, "share of the source that has passed all stages, 0 to 1; null while that is not known"),
    ("source_unit", _TEXT, "what source_share is a share of: records, bytes or splits"),
    ("startup_seconds", _REAL, "seconds until all workers were ready, in no busy time; null on Ray"),
    ("created_records", _COUNT, "records that operators made beside those that came in, over all stages"),
    ("input_text_bytes", _COUNT, "bytes of text that came in to the first stage; null if not counted"),
    ("output_text_bytes", _COUNT, "bytes of text that the last stage passed on; null if not counted"),
    ("input_tokens", _COUNT, "tokens that came in to the first stage; null if not counted"),
    ("output_tokens", _COUNT, "tokens that the last stage passed on; null if not counted"),
)

SAMPLES = _table(
    ("run_id", _TEXT, "the run"),
    ("stage_name", _TEXT, "the stage"),
    ("operator_name", _TEXT, "the operator instance, distinct within the stage"),
    ("worker_id", _TEXT, "the worker"),
    ("timestamp", _TIME, "start of the interval in which the work was done, naive UTC, a multiple of interval"),
    ("interval", _REAL, "length of the interval, seconds"),
    ("input_records", _COUNT, "records offered to the operator by committed batches"),
    ("output_records", _COUNT, "records passed on by committed batches"),
    ("rejected_records", _COUNT, "records rejected with a reason"),
    ("error_count", _COUNT, "records that raised and were set aside"),
    ("busy_time", _REAL, "seconds busy in this operator on this worker, with batches that ended in the interval"),
    ("batches", _COUNT, "batches measured"),
    ("latency_histogram", _HISTOGRAM, "records by bucket: (2^(bucket/64), 2^((bucket+1)/64)] seconds per record"),
    ("stage_index", pa.int32(), "place of the stage in the plan, from 0"),
    ("operator_index", pa.int32(), "place of the operator in the stage, from 0"),
    ("created_records", _COUNT, "records made beside those that came in"),
    ("cpu_time", _REAL, "seconds of CPU of the worker process while busy in this operator; 0 if not measured"),
)

NODES = _table(
    ("run_id", _TEXT, "the run"),
    ("node_id", _TEXT, "the node: Ray's id of it, or, in the local engine, the name of the machine"),
    ("timestamp", _TIME, "when it was sampled, by the clock of the node, naive UTC"),
    ("cpu_usage", _REAL, "percent of CPU time since the sample before, or of what the cgroup may use"),
    ("memory_usage", _REAL, "percent of memory that is not available; of the cgroup's limit if there is one"),
    ("disk_usage", _REAL, "percent used of the fullest file system that holds work of the run"),
    ("network_io", _REAL, "bytes per second received and sent since the sample before, without loopback"),
    ("disk_io", _REAL, "bytes per second read and written since the sample before, over all disks"),
    ("iops", _REAL, "read and write operations per second since the sample before, over all disks"),
    ("partition_count", _COUNT, "batches that stage workers of this node held"),
    ("status", _TEXT, "active, degraded or unhealthy"),
    ("object_store_memory", _COUNT, "bytes used of the object store of the node; null if the engine has none"),
    ("gpu_usage", _REAL, "percent of the time that kernels ran, mean over the GPUs; null without a GPU"),
    ("gpu_memory_usage", _REAL, "percent of GPU memory in use, over the GPUs; null without a GPU"),
    ("hostname", _TEXT, "name of the machine"),
    ("status_reason", _TEXT, "why it is not active, in words; null when it is"),
    ("num_workers", _COUNT, "stage workers of the run on this node"),
    ("cpu_count", _REAL, "cores that 100 percent of cpu_usage are"),
    ("memory_total", _COUNT, "bytes that 100 percent of memory_usage are"),
    ("disk_total", _COUNT, "bytes of the file system that disk_usage is of"),
    ("gpu_count", _COUNT, "GPUs that answered"),
    ("run_cpu_usage", _REAL, "percent of the same CPU time that the processes of the run used, the rest being others"),
)

_SCORES = pa.list_(
    pa.struct(
        [("bucket", pa.int32())]
        + [(side, pa.int64()) for side in ("kept", "failed_other", "failed_alone", "failed_both")]
    )
)

SCORES = _table(
    ("run_id", _TEXT, "the run"),
    ("stage_name", _TEXT, "the stage"),
    ("operator_name", _TEXT, "the operator instance, distinct within the stage"),
    ("rule_index", pa.int32(), "place of the rule among those of the operator, from 0; the first that fails decides"),
    ("reason", _TEXT, "the reason of the records that the rule rejects"),
    ("parameter", _TEXT, "parameter of the operator that is the threshold; null if none is"),
    ("timestamp", _TIME, "when last measured, naive UTC"),
    ("fails", _TEXT, "how score and threshold compare for a record that fails: <, <=, > or >=; null if unknown"),
    ("threshold", _REAL, "what the score is compared with; null if nothing is"),
    ("population", _TEXT, "whose scores these are: all records that the rule judged, or only the rejected ones"),
    (
        "judged_records",
        _COUNT,
        "records that the rule decided on: not where its score is null; null for rejected ones only",
    ),
    ("failed_records", _COUNT, "records that fail the rule, whatever other rules say"),
    ("failed_alone_records", _COUNT, "of these, records that fail no other rule of the operator"),
    (
        "rejected_records",
        _COUNT,
        "records of which the rule is the first that they fail: its count in rejected_reasons",
    ),
    ("unscored_records", _COUNT, "of the judged records, those without a number"),
    ("min_passed", _REAL, "least score of a record that passes the rule"),
    ("max_passed", _REAL, "greatest score of a record that passes the rule"),
    ("min_failed", _REAL, "least score of a record that fails the rule"),
    ("max_failed", _REAL, "greatest score of a record that fails the rule"),
    ("whole_numbers", pa.bool_(), "whether every score is a whole number"),
    (
        "histogram",
        _SCORES,
        "records by bucket of the score: (2^((bucket-2049)/64), 2^((bucket-2048)/64)], 0 for 0, "
        "negative ones mirrored; those that pass all rules, fail only others, fail this alone, fail this and others",
    ),
    (
        "failed_together",
        _TEXT,
        "JSON object: records by the rules that they fail together, comma-separated rule_index; "
        "the 64 most frequent, the rest as other; in the first rule of an operator",
    ),
)

SLICES = _table(
    ("run_id", _TEXT, "the run"),
    ("stage_name", _TEXT, "the stage"),
    ("operator_name", _TEXT, "the operator instance, distinct within the stage"),
    ("operator_index", pa.int32(), "place of the operator in the stage, from 0"),
    ("slice_by", _TEXT, "what the slices are of, as in `metrics.slice_by`: a column, source_file() or domain(column)"),
    ("slice_kind", _TEXT, "value; null: of records without a value; other: all slices that have no row of their own"),
    ("slice_value", _TEXT, "the value, at most 120 characters; null if slice_kind is not value"),
    ("slices", _COUNT, "slices that the row is of: 1, of `other` at most this many"),
    ("timestamp", _TIME, "when last measured, naive UTC"),
    ("input_records", _COUNT, "records of the slice offered to the operator by committed batches"),
    ("output_records", _COUNT, "records of the slice passed on by committed batches"),
    ("pass_rate", _REAL, "100 * output / input, percent; null when nothing came in"),
    ("rejected_records", _COUNT, "records rejected with a reason"),
    ("error_count", _COUNT, "records that raised and were set aside"),
    ("rejected_reasons", _TEXT, "JSON object: records rejected, by reason"),
    ("input_text_bytes", _COUNT, "bytes of text in the records offered; null if there is no text column"),
    ("output_text_bytes", _COUNT, "bytes of text in the records passed on; null if there is no text column"),
    ("input_tokens", _COUNT, "tokens in the records offered; null if no column holds their number"),
    ("output_tokens", _COUNT, "tokens in the records passed on; null if no column holds their number"),
    ("missed_records", _COUNT, "records that the row may lack at most, as they are in other; 0: the row is exact"),
)

_VALUES = pa.list_(pa.struct([("bucket", pa.int64()), ("count", pa.int64())]))

COLUMNS = _table(
    ("run_id", _TEXT, "the run"),
    ("column_name", _TEXT, "column of the output; of a field of a struct struct.field"),
    ("column_type", _TEXT, "Arrow's name of its type; a column of two types has two rows"),
    ("column_index", pa.int32(), "place of the column in the output, from 0"),
    ("timestamp", _TIME, "when last measured, naive UTC"),
    (
        "kind",
        _TEXT,
        "what the numbers are: number (values), time (seconds since 1970), text (characters), binary (bytes), "
        "list (items), boolean or other (none)",
    ),
    ("records", _COUNT, "records written"),
    ("nulls", _COUNT, "of these, records without a value"),
    ("not_finite", _COUNT, "values that are NaN or infinite; they are in no column that follows"),
    ("true_values", _COUNT, "of a boolean column, values that are true; null for others"),
    ("distinct_values", _COUNT, "distinct values, estimated; null for lists and others"),
    ("distinct_error", _REAL, "relative standard error of that estimate"),
    ("minimum", _REAL, "least number"),
    ("maximum", _REAL, "largest number"),
    ("p01", _REAL, "number that 1 percent of the values do not exceed, from the histogram"),
    ("p05", _REAL, "the same for 5 percent"),
    ("p25", _REAL, "the same for 25 percent"),
    ("p50", _REAL, "the median"),
    ("p75", _REAL, "the same for 75 percent"),
    ("p95", _REAL, "the same for 95 percent"),
    ("p99", _REAL, "the same for 99 percent"),
    (
        "quantile_error",
        _REAL,
        "relative width of a bucket, which bounds the error of quantiles; 0 if they are exact",
    ),
    ("dropped_bits", pa.int32(), "low bits of the float64 that a bucket does not tell apart"),
    ("value_histogram", _VALUES, "values by bucket: the bits of the float64 without its dropped_bits low bits"),
)

TABLES: dict[str, pa.Schema] = {
    "runs": RUNS,
    "stages": STAGES,
    "operators": OPERATORS,
    "samples": SAMPLES,
    "nodes": NODES,
    "scores": SCORES,
    "slices": SLICES,
    "columns": COLUMNS,
}

DETAILS = ("scores", "slices", "columns")
"""Tables of details: one file a run, written over from time to time."""

JSON_COLUMNS = frozenset({"custom_metrics", "rejected_reasons", "config", "paths", "failed_together"})


def to_table(
    rows: Iterable[object],
    schema: pa.Schema,
    run_id: str,
    moment: datetime | None = None,
    writer: str | None = None,
) -> pa.Table:
    """Return rows as a table of one of the schemas of this module, marked with the run that it belongs to.

    Args:
        rows: objects with an attribute per column, or mappings, in which a column that is absent is null.
        schema: one of `TABLES`.
        run_id: goes to the file's metadata, so that a file without rows still names its run.
        moment: likewise, of the snapshot that the rows belong to.
        writer: goes there as well: who writes the file.
    """
    rows = list(rows)
    columns = [pa.array([_cell(row, field.name) for row in rows], field.type) for field in schema]
    metadata = {**schema.metadata, RUN_ID_KEY: run_id.encode()}
    if moment is not None:
        metadata[MOMENT_KEY] = moment.isoformat().encode()
    if writer is not None:
        metadata[WRITER_KEY] = writer.encode()
    return pa.Table.from_arrays(columns, schema=schema.with_metadata(metadata))


def _cell(row: object, column: str) -> object:
    value: Any = row.get(column) if isinstance(row, Mapping) else getattr(row, column)
    if column in JSON_COLUMNS:
        return None if value is None else strict_json.dumps(value)
    if column == "latency_histogram":
        return [{"bucket": bucket, "count": count} for bucket, count in value.to_pairs()]
    return value


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return a table as dicts, one per row, with the JSON columns parsed."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for column in JSON_COLUMNS & row.keys():
            if row[column] is not None:
                row[column] = json.loads(row[column])
    return rows
