"""The unit that travels: an id, an Arrow table, and everything that is known of the records so far.

Counts travel inside the batch that they were counted on. A retried batch carries only what the attempt that counts
has measured, so killing a worker cannot change a number.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import pyarrow as pa

from mega_data_factory.framework.contracts import OutputFile
from mega_data_factory.framework.metrics.details import kinds
from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.travelling import TravellingRows

ExclusionKind = Literal["rejected", "error", "dead_letter"]


@dataclass(frozen=True)
class Exclusion:
    """A record that left the pipeline before the writer, kept to be looked at.

    Attributes:
        kind: `rejected` by a filter, `error` (an operator or the loader raised), `dead_letter` (killed its worker).
        record_id: name of the record.
        stage: where; `data_loader` for the loader.
        operator: operator instance, or an empty text where no operator is known.
        reason: reason of the filter, or the message of the error.
        score: the number that decided, where one did.
        threshold: what it was compared with.
        content: the record as it came to the operator, JSON.
    """

    kind: ExclusionKind
    record_id: str
    stage: str
    operator: str
    reason: str
    score: float | None = None
    threshold: float | None = None
    content: str = ""


@dataclass(frozen=True)
class SplitEnd:
    """Totals of a split, in its last batch: the plan that the commits are checked against."""

    batches: int
    records: int


@dataclass(frozen=True)
class Batch:
    """Records on their way, with their account.

    Attributes:
        id: `split-batch`, sortable, the same in every attempt.
        split: index of the split it was read from.
        table: the records that are still in.
        records: records that the loader accounted for in this batch, skipped ones included.
        loader_errors: of these, records that the loader had to skip.
        dead_lettered: of these, records that were set aside because they killed their worker.
        metrics: a row for every operator passed, of the attempt that counts.
        exclusions: records that left, where they are kept.
        split_end: on the last batch of a split, the totals of the split.
        attempts: most attempts that any stage needed.
        loader_seconds: time spent reading.
        source: digest of the split that it was read from; a resumed run detects by it that the source has changed.
        rejects: a row of the reject ledger for every record that was rejected; None if none was or none are kept.
        details: what meters saw beside the rows, of the attempts that count; those of one table and key added up.
        meter_seconds: time that meters took.
    """

    id: str
    split: int
    table: pa.Table
    records: int
    loader_errors: int = 0
    dead_lettered: int = 0
    metrics: Sequence[OperatorMetrics] = ()
    exclusions: tuple[Exclusion, ...] = ()
    split_end: SplitEnd | None = None
    attempts: int = 1
    loader_seconds: float = 0.0
    source: str = ""
    rejects: pa.Table | None = None
    details: tuple[Detail, ...] = ()
    meter_seconds: float = 0.0

    @property
    def number(self) -> int:
        """Its number in the split, from 0."""
        return int(self.id.rpartition("-")[2])

    @property
    def reject_bytes(self) -> int:
        """Size in memory of the rows of its rejected records."""
        return 0 if self.rejects is None else self.rejects.nbytes

    def header(self) -> str:
        """Return everything but the tables, as JSON text."""
        values = {f: getattr(self, f) for f in _PLAIN_FIELDS}
        values["metrics"] = TravellingRows.of(self.metrics).texts()
        values["exclusions"] = [asdict(e) for e in self.exclusions]
        values["split_end"] = asdict(self.split_end) if self.split_end else None
        if self.details:
            values["details"] = kinds.to_wire(self.details)
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_header(
        cls, header: str, table: pa.Table, rejects: pa.Table | None = None, *, with_details: bool = True
    ) -> Batch:
        """Return the batch of which `header` was made, with its tables.

        Args:
            header: what `header` returned.
            table: the records.
            rejects: rows of rejected ones.
            with_details: whether to decode its details, which takes longer than all the rest.
        """
        values: dict[str, Any] = json.loads(header)
        values["metrics"] = TravellingRows(values["metrics"])
        values["exclusions"] = tuple(Exclusion(**e) for e in values["exclusions"])
        values["split_end"] = SplitEnd(**values["split_end"]) if values["split_end"] else None
        wired = values.pop("details", ())
        details = kinds.from_wire(wired) if with_details else ()
        return cls(table=table, rejects=rejects, details=details, **values)

    def without_table(self) -> Batch:
        """Return the account alone."""
        return replace(self, table=self.table.slice(0, 0), rejects=None)


_PLAIN_FIELDS = (
    "id",
    "split",
    "records",
    "loader_errors",
    "dead_lettered",
    "attempts",
    "loader_seconds",
    "source",
    "meter_seconds",
)


@dataclass(frozen=True)
class CommitRecord:
    """Record of a commit: metrics are computed from these, and a run is resumed from them.

    Attributes:
        batch: the account of the batch; its table is empty.
        output_records: records that the writer wrote of it.
        output_file: the file they are in, or None if nothing was left to write.
        writer_seconds: its share of the time spent writing.
        writer_errors: records of it that the writer could not write; they are in the error sink.
        rejects_file: the file of the reject ledger that its rejected records are in; None if there are none.
        details: what the writer saw of the records that it wrote, and what meters saw of all batches of the group, in
            the record of its first batch.
    """

    batch: Batch
    output_records: int
    output_file: OutputFile | None = None
    writer_seconds: float = 0.0
    writer_errors: int = 0
    rejects_file: OutputFile | None = None
    details: tuple[Detail, ...] = ()

    def to_json(self) -> Mapping[str, Any]:
        """Return plain values, for messages between processes and for the commit log; made once."""
        return self._json

    @functools.cached_property
    def _json(self) -> Mapping[str, Any]:
        return {
            "batch": self.batch.header(),
            "output_records": self.output_records,
            "output_file": asdict(self.output_file) if self.output_file else None,
            "writer_seconds": self.writer_seconds,
            "writer_errors": self.writer_errors,
            "rejects_file": asdict(self.rejects_file) if self.rejects_file else None,
            **({"details": kinds.to_wire(self.details)} if self.details else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CommitRecord:
        """Return the record of which `values` were made."""
        file, rejects = (
            OutputFile(**of) if (of := values.get(name)) else None for name in ("output_file", "rejects_file")
        )
        batch = Batch.from_header(values["batch"], pa.table({}))
        errors = values.get("writer_errors", 0)
        details = kinds.from_wire(values.get("details", ()))
        return cls(batch, values["output_records"], file, values["writer_seconds"], errors, rejects, details)


@dataclass(frozen=True)
class StagedBatch:
    """A batch that has passed the last stage and waits for the writer.

    Attributes:
        batch: its account; the table is where `path` says.
        records: rows of the table.
        bytes: size of the table in memory.
        path: where the tables lie, or None when no record is left and no rejected ones are kept.
        reject_bytes: size in memory of the rows of rejected records.
    """

    batch: Batch
    records: int
    bytes: int
    path: str | None = None
    reject_bytes: int = 0
