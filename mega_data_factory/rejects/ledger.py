"""Reading of the reject ledger of a run, in bounded memory: one file after the other, as many columns as needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.rejects.files import committed_files
from mega_data_factory.rejects.schema import SCHEMA

_RULE = ["stage", "operator", "reason", "slice"]
_BATCH_ROWS = 16_384


@dataclass(frozen=True)
class RejectFilter:
    """Filter of rejected records; what is None filters nothing.

    Attributes:
        stage: name of the stage.
        operator: name of the operator instance.
        reason: the rule that decided.
        slice: the slice that the record is of.
        record_id: the record.
        score_between: least and greatest score, both included; a record without a score is in no range.
    """

    stage: str | None = None
    operator: str | None = None
    reason: str | None = None
    slice: str | None = None
    record_id: str | None = None
    score_between: tuple[float, float] | None = None

    def expression(self) -> pc.Expression | None:
        """Return the filter as an expression of Arrow; None if it filters nothing."""
        wanted = [
            pc.field(field.name) == value
            for field in fields(self)
            if field.name != "score_between" and (value := getattr(self, field.name)) is not None
        ]
        if self.score_between is not None:
            least, greatest = self.score_between
            wanted += [pc.field("score") >= least, pc.field("score") <= greatest]
        if not wanted:
            return None
        expression = wanted[0]
        for more in wanted[1:]:
            expression = expression & more
        return expression


@dataclass(frozen=True)
class RejectLedger:
    """The reject ledger of one run.

    Attributes:
        files: its Parquet files, with the columns of `SCHEMA`.
    """

    files: Sequence[str]

    @classmethod
    def open(cls, folder: str, commit_log: str | None = None) -> RejectLedger:
        """Return the ledger in a folder: of the files there, those that count, see `committed_files`.

        Raises:
            InputError: a folder may not be read.
        """
        return cls(committed_files(folder, commit_log))

    def batches(
        self, only: RejectFilter | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows that pass the filter, in the order of files and rows.

        Args:
            only: which rows; all by default.
            columns: columns of `SCHEMA`; all by default.

        Raises:
            InputError: a file may not be read, or is damaged.
        """
        expression = None if only is None else only.expression()
        names = SCHEMA.names if columns is None else list(columns)
        for file in self.files:
            try:
                dataset = storage.parquet_dataset(file, SCHEMA)
                for batch in dataset.to_batches(
                    columns=names, filter=expression, batch_size=_BATCH_ROWS, use_threads=False
                ):
                    if batch.num_rows:
                        yield batch
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{file} cannot be read as a file of rejected records: {error}") from error

    def read(self, only: RejectFilter | None = None, *, offset: int = 0, limit: int | None = None) -> pa.Table:
        """Return rows as a table.

        Args:
            only: which rows; all by default.
            offset: rows to leave out.
            limit: rows to return at most; all by default.
        """
        parts: list[pa.RecordBatch] = []
        left = limit
        for batch in self.batches(only):
            part = batch.slice(offset, left)
            offset = max(0, offset - batch.num_rows)
            if part.num_rows:
                parts.append(part)
                left = None if left is None else left - part.num_rows
            if left == 0:
                break
        return pa.Table.from_batches(parts, SCHEMA)

    def counts(self, only: RejectFilter | None = None) -> pa.Table:
        """Return how many were rejected for each `stage`, `operator`, `reason` and `slice`, the most frequent first.

        Args:
            only: which rows; all by default.

        Returns:
            The four columns and `records`, `alone` (those that fail no other rule of the operator; null if that is
            not known) and `bytes`, each int64.
        """
        counted = [
            _with_alone(batch).group_by(_RULE, use_threads=False).aggregate(_SUMS)
            for batch in self.batches(only, [*_RULE, "failed_rules", "bytes"])
        ]
        if not counted:
            return pa.schema([*map(SCHEMA.field, _RULE), *((name, pa.int64()) for name in _COUNTED)]).empty_table()
        merged = pa.concat_tables(counted).group_by(_RULE, use_threads=False)
        total = merged.aggregate([("bytes_count", "sum"), ("alone_sum", "sum"), ("bytes_sum", "sum")])
        order = [("records", "descending"), *((name, "ascending") for name in _RULE)]
        return total.rename_columns([*_RULE, *_COUNTED]).sort_by(order)

    def nearest(
        self, number: int, only: RejectFilter | None = None, *, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the rows whose score is nearest to the threshold, of every operator and reason, nearest first.

        Args:
            number: rows of each operator and reason.
            only: which rows; all by default.
            columns: columns of `SCHEMA`, at least the three of a rule, `record_id`, `score` and `threshold`; all by
                default.
        """
        kept: dict[tuple[str, str, str], pa.Table] = {}
        for batch in self.batches(only, columns):
            rows = pa.Table.from_batches([batch])
            distance = pc.abs(pc.subtract(rows.column("score"), rows.column("threshold")))
            rows = rows.append_column("_distance", distance).filter(pc.is_finite(distance))
            keys = rows.select(["stage", "operator", "reason"]).group_by(["stage", "operator", "reason"]).aggregate([])
            for key in keys.to_pylist():
                rule = (key["stage"], key["operator"], key["reason"])
                mine = rows.filter(_is(rule))
                mine = pa.concat_tables([kept[rule], mine]) if rule in kept else mine
                kept[rule] = mine.sort_by([("_distance", "ascending"), ("record_id", "ascending")]).slice(0, number)
        if not kept:
            return SCHEMA.empty_table() if columns is None else SCHEMA.empty_table().select(list(columns))
        return pa.concat_tables([rows for _, rows in sorted(kept.items())]).drop_columns(["_distance"])


_SUMS = [("bytes", "count", pc.CountOptions(mode="all")), ("alone", "sum"), ("bytes", "sum")]
_COUNTED = ("records", "alone", "bytes")


def _with_alone(batch: pa.RecordBatch) -> pa.Table:
    alone = pc.equal(pc.list_value_length(batch.column("failed_rules")), 1).cast(pa.int64())
    return pa.Table.from_batches([batch]).append_column("alone", alone)


def _is(rule: tuple[str, str, str]) -> pc.Expression:
    stage, operator, reason = rule
    return (pc.field("stage") == stage) & (pc.field("operator") == operator) & (pc.field("reason") == reason)
