"""Writing of a group of batches: one data file, files of the records that are not in it, and the entry in the log."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.batch import Batch, CommitRecord, Exclusion
from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.commit.exclusion_files import write_exclusions
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.contracts import RECORD_ID, WRITER_STAGE, OutputFile, Writer
from mega_data_factory.framework.exclusion_text import record_json
from mega_data_factory.framework.metrics.details.columns.column_statistics import ColumnStatistics
from mega_data_factory.framework.metrics.details.detail import add_up
from mega_data_factory.framework.tables import concat
from mega_data_factory.redaction import described
from mega_data_factory.rejects import write_rejects


def write_group(output: OutputFolder, writer: Writer, group: Sequence[tuple[Batch, pa.Table]]) -> list[CommitRecord]:
    """Write a group of batches as one file, and commit them: the entry in the commit log is what counts.

    Writing the same group again writes the same files again: a retry after a kill leaves nothing twice.

    Args:
        output: where to.
        writer: encodes.
        group: batches with their tables, ordered by id.

    Returns:
        A commit record for every batch, in the same order.
    """
    started = time.perf_counter()
    name = output.file_name([batch.id for batch, _ in group])
    try:
        written, table = group, _joined(group)
        file = _write_data(output, writer, name, table)
    except MdfError:
        raise
    except Exception:  # noqa: BLE001 - what a writer raises is of a record: it is found and set aside
        written = [_writable(writer, batch, table) for batch, table in group]
        table = _joined(written)
        file = _write_data(output, writer, name, table)
    _write_exclusions(output, name, [e for batch, _ in written for e in batch.exclusions])
    rejects = _write_rejects(output, name, [batch for batch, _ in written])
    seconds = (time.perf_counter() - started) / len(group)
    columns, measuring = _measured(output, table)
    started = time.perf_counter()
    details = add_up([detail for batch, _ in written for detail in batch.details])  # one sum for the log, and to read
    measuring += time.perf_counter() - started
    commits = [
        CommitRecord(
            replace(batch.without_table(), details=(), meter_seconds=batch.meter_seconds + measuring / len(group)),
            left.num_rows,
            file if left.num_rows else None,
            seconds,
            given.num_rows - left.num_rows,
            rejects if batch.rejects is not None else None,
            (*columns, *details) if place == 0 else (),  # of the group as a whole: its batches are committed together
        )
        for place, ((_, given), (batch, left)) in enumerate(zip(group, written, strict=True))
    ]
    output.log.append(name, output.session, commits)
    return commits


def _joined(group: Sequence[tuple[Batch, pa.Table]]) -> pa.Table:
    return concat([table for _, table in group])


def _write_data(output: OutputFolder, writer: Writer, name: str, table: pa.Table) -> OutputFile | None:
    if not table.num_rows:
        return None
    path = storage.join(output.pending if output.holds_back else output.path, name + output.suffix)
    with storage.atomic_output(path) as sink:
        writer.write(table, sink)
    return OutputFile(path, table.num_rows, storage.size(path))


def _measured(output: OutputFolder, table: pa.Table) -> tuple[tuple[ColumnStatistics, ...], float]:
    """Return the statistics of the columns of the data file, and the seconds they took; none if switched off."""
    started = time.perf_counter()
    if not output.measures_columns or not table.num_rows:
        return (), 0.0
    return tuple(measure_columns(table)), time.perf_counter() - started


def _write_rejects(output: OutputFolder, name: str, batches: Sequence[Batch]) -> OutputFile | None:
    """Write the rows of rejected records as a file of the same name, committed by the same entry in the log."""
    kept = [(batch.id, batch.rejects) for batch in batches if batch.rejects is not None]
    if output.rejects_path is None or not kept:
        return None
    rows = concat([rejects for _, rejects in kept])
    ids = np.repeat([batch_id for batch_id, _ in kept], [rejects.num_rows for _, rejects in kept])
    rows = rows.append_column("batch", pa.array(ids, pa.string()))
    rows = rows.append_column("run_id", pa.repeat(pa.scalar(output.run_id), rows.num_rows))
    path = storage.join(output.rejects_path, f"{name}.parquet")
    write_rejects(path, rows)
    return OutputFile(path, rows.num_rows, storage.size(path))


def _write_exclusions(output: OutputFolder, name: str, exclusions: Sequence[Exclusion]) -> None:
    for kind, folder in (("error", output.errors_path), ("dead_letter", output.dead_letter_path)):
        mine = [exclusion for exclusion in exclusions if exclusion.kind == kind]
        if mine:
            write_exclusions(storage.join(folder, f"{name}.jsonl"), mine)


def _writable(writer: Writer, batch: Batch, table: pa.Table) -> tuple[Batch, pa.Table]:
    """Split off the records that a writer cannot write, as errors of the batch."""
    bad = list(_unwritable(writer, table, 0))
    if not bad:
        return batch, table
    errors = tuple(
        Exclusion(
            "error",
            table.column(RECORD_ID)[row].as_py(),
            WRITER_STAGE,
            "",
            described(error),
            content=record_json(table.slice(row, 1)),
        )
        for row, error in bad
    )
    gone = {row for row, _ in bad}
    left = table.take(pa.array([row for row in range(table.num_rows) if row not in gone], pa.int64()))
    return replace(batch, exclusions=batch.exclusions + errors), left


def _unwritable(writer: Writer, table: pa.Table, first: int) -> Iterator[tuple[int, Exception]]:
    """Find the records that a writer cannot write, by halving; each with its number and its error."""
    try:
        if table.num_rows:
            writer.write(table, io.BytesIO())
    except Exception as error:  # noqa: BLE001 - any exception of a writer belongs to its record
        if table.num_rows == 1:
            yield first, error
            return
        half = table.num_rows // 2
        yield from _unwritable(writer, table.slice(0, half), first)
        yield from _unwritable(writer, table.slice(half), first + half)
