"""The books of a run: what was planned, what was committed, and whether the two agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import Batch, CommitRecord
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.rollup import flow_differences


@dataclass
class _SplitAccount:
    """Account of one split: batches seen at the end of the pipeline, and its totals once the last has arrived."""

    batches: int = 0
    records: int = 0
    expected_batches: int | None = None
    expected_records: int | None = None

    @property
    def settled(self) -> bool:
        return self.batches == self.expected_batches and self.records == self.expected_records


@dataclass
class Books:
    """Counts commits against the plan.

    Attributes:
        splits: splits that the loader listed; None until all are known.
        planned: records of all splits whose end is known, plus those committed of splits that are still open.
        processed: records of committed batches that went to operators: neither unreadable nor dead-lettered.
        dead_lettered: records set aside because they killed their worker.
        loader_errors: records that the loader could not read.
        written: records in output files.
        writer_errors: records that the writer could not write.
        batches: batches committed.
        retried_batches: of these, batches that needed more than one attempt.
        output_bytes: size of all output files.
        output_files: names of all output files.
        loader_seconds: time spent reading.
        writer_seconds: time spent writing.
    """

    splits: int | None = None
    processed: int = 0
    dead_lettered: int = 0
    loader_errors: int = 0
    written: int = 0
    writer_errors: int = 0
    batches: int = 0
    retried_batches: int = 0
    output_bytes: int = 0
    output_files: set[str] = field(default_factory=set)
    loader_seconds: float = 0.0
    writer_seconds: float = 0.0
    _open: dict[int, _SplitAccount] = field(default_factory=dict)
    _settled: int = 0
    _settled_records: int = 0
    _seen: set[str] = field(default_factory=set)

    def commit(self, record: CommitRecord) -> bool:
        """Enter a commit; False when the batch is in the books already, which changes nothing."""
        batch = record.batch
        if batch.id in self._seen:
            return False
        self._seen.add(batch.id)
        self._enter_split(batch)
        self.batches += 1
        self.retried_batches += batch.attempts > 1
        self.processed += batch.records - batch.loader_errors - batch.dead_lettered
        self.dead_lettered += batch.dead_lettered
        self.loader_errors += batch.loader_errors
        self.written += record.output_records
        self.writer_errors += record.writer_errors
        self.loader_seconds += batch.loader_seconds
        self.writer_seconds += record.writer_seconds
        if record.output_file is not None and record.output_file.path not in self.output_files:
            self.output_files.add(record.output_file.path)
            self.output_bytes += record.output_file.bytes
        return True

    def _enter_split(self, batch: Batch) -> None:
        account = self._open.setdefault(batch.split, _SplitAccount())
        account.batches += 1
        account.records += batch.records
        if batch.split_end is not None:
            account.expected_batches = batch.split_end.batches
            account.expected_records = batch.split_end.records
        if account.settled:
            self._settled += 1
            self._settled_records += account.records
            del self._open[batch.split]

    @property
    def planned(self) -> int:
        """Records that the loader said it would give, as far as it has said."""
        return self._settled_records + sum(a.expected_records or a.records for a in self._open.values())

    @property
    def complete(self) -> bool:
        """Whether every batch of every split is committed."""
        return self.splits is not None and self._settled == self.splits and not self._open

    @property
    def read(self) -> int:
        """Records in the books: processed, dead-lettered, or unreadable."""
        return self.processed + self.dead_lettered + self.loader_errors

    @property
    def left_stages(self) -> int:
        """Records that came out of the last stage: written, or set aside because the writer could not write them."""
        return self.written + self.writer_errors

    def differences(self, operators: Sequence[OperatorMetrics], *, finished: bool) -> list[str]:
        """Return every place where the books do not agree, in words.

        Args:
            operators: the rows of the run.
            finished: whether the run has come to its end: then everything planned must be in the books.
        """
        found = []
        if finished and (self.planned != self.read or not self.complete):
            splits = "not all splits are listed"
            if self.splits is not None:
                splits = f"{self.splits - self._settled} of {self.splits} splits are not committed to their end"
            found.append(f"planned {self.planned:,} records, accounted for {self.read:,}; {splits}")
        return found + [d.text for d in flow_differences(operators, self.processed, self.left_stages)]
