"""Account of a step: what became of the records of one call, one task, or one process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.framework.metrics.rows.histogram import bucket_of
from mega_data_factory.framework.metrics.rows.reasons import MOST_REASONS, bounded
from mega_data_factory.observe.counting.set_aside import SetAside


@dataclass(init=False, slots=True)
class Account:
    """Counts of one step, for the piece of work that `key` names.

    `input_records + created_records = output_records + rejected_records + error_count` always holds.

    Attributes:
        step: id of the step within its run.
        worker: name of the worker, which becomes `worker_id` of the row.
        key: what the account is of. Of all accounts of one step with the same key the last one counts. None: the
            account adds to the others, and is never replaced.
        attempt: who delivered it; differs between two attempts at the same piece of work.
        engine: name of the engine in whose task it was made.
        at: when the work was done, seconds since 1970.
        final: False while the work is in progress: the account is shown, and a later one with the same key replaces it.
        input_records: records offered to the step.
        output_records: records that it passed on.
        created_records: records made beside those that came in.
        rejected_records: records that it rejected.
        error_count: records that raised.
        calls: calls, or batches of an iterator.
        seconds: time spent in the step, without time spent waiting for its input.
        cpu_seconds: CPU time of the thread in the step; 0 if it is not measured.
        input_bytes: bytes of the text column of the records offered; 0 if none is named.
        output_bytes: likewise of the records passed on.
        input_tokens: tokens of the records offered; 0 if no column of them is named.
        output_tokens: likewise of the records passed on.
        reasons: rejected records by reason; their sum may be less than `rejected_records`.
        custom: custom numbers, which add.
        histogram: bucket of the seconds per record → records (see `LatencyHistogram`).
        least, most: least and most seconds per record of any call; None before the first record.
        set_aside: records that were set aside.
        unknown: calls whose values were of a form that cannot be counted.
        details: scores and other summaries that add (`framework.metrics.details`).
        rejects: rows of the reject ledger, as `reject_rows` packs them.
        content: what the step was given, as numbers (`signatures.Content`), where the engine wants to know.
    """

    step: str
    worker: str
    key: str | None
    attempt: str
    engine: str
    at: float
    final: bool
    input_records: int
    output_records: int
    created_records: int
    rejected_records: int
    error_count: int
    calls: int
    seconds: float
    cpu_seconds: float
    input_bytes: int
    output_bytes: int
    input_tokens: int
    output_tokens: int
    reasons: dict[str, int]
    custom: dict[str, float]
    histogram: dict[int, int]
    least: float | None
    most: float | None
    set_aside: list[SetAside]
    unknown: int
    content: list[int]
    details: tuple[Detail, ...]
    rejects: list[bytes]

    def __init__(
        self,
        step: str,
        worker: str = "",
        key: str | None = None,
        attempt: str = "",
        engine: str = "",
        at: float = 0.0,
        final: bool = True,
        **counted: Any,
    ) -> None:
        """Make an account of nothing; `counted` sets other attributes by name."""
        self.step = step
        self.worker = worker
        self.key = key
        self.attempt = attempt
        self.engine = engine
        self.at = at
        self.final = final
        self.input_records = self.output_records = self.created_records = self.rejected_records = 0
        self.error_count = self.calls = self.unknown = 0
        self.seconds = self.cpu_seconds = 0.0
        self.input_bytes = self.output_bytes = self.input_tokens = self.output_tokens = 0
        self.least = self.most = None
        self.reasons = {}
        self.custom = {}
        self.histogram = {}
        self.set_aside = []
        self.content = []
        self.rejects = []
        self.details = ()
        for name, value in counted.items():
            setattr(self, name, value)

    def add_call(
        self,
        seconds: float,
        records_in: int,
        records_out: int,
        *,
        errors: int = 0,
        reasons: Mapping[str, int] | None = None,
        reason: str | None = None,
    ) -> None:
        """Count one call; its records took `seconds / records_in` each.

        Args:
            seconds: time spent in the step.
            records_in: records offered.
            records_out: records passed on.
            errors: records that raised and were left out.
            reasons: rejected records by reason.
            reason: the reason of missing records that `reasons` does not explain; None for no reason.
        """
        if errors or reasons or records_in != records_out:
            self.add_flow(records_in, records_out, errors=errors, reasons=reasons, reason=reason)
        else:
            self.input_records += records_in
            self.output_records += records_out
        self.calls += 1
        self.seconds += seconds
        records = records_in or records_out
        if records:
            self.add_latency(seconds / records, records)

    def add_flow(
        self,
        records_in: int,
        records_out: int,
        *,
        errors: int = 0,
        reasons: Mapping[str, int] | None = None,
        reason: str | None = None,
    ) -> None:
        """Count what became of records.

        Records that are missing in the output are rejected; records that are there beside those that came in are
        created. If more records were rejected by name than are missing, others were created.
        """
        named = sum(reasons.values()) if reasons else 0
        missing = records_in - records_out - errors
        rejected = max(missing, named)
        self.input_records += records_in
        self.output_records += records_out
        if errors:
            self.error_count += errors
        if rejected:
            self.rejected_records += rejected
        if rejected != missing:
            self.created_records += rejected - missing
        if reasons:
            self._add_reasons(reasons)
        if reason is not None and rejected > named:
            self.reasons[reason] = self.reasons.get(reason, 0) + rejected - named

    def _add_reasons(self, reasons: Mapping[str, int]) -> None:
        add_counts(self.reasons, reasons)
        if len(self.reasons) > MOST_REASONS:
            self.reasons = dict(bounded(self.reasons))

    def add_latency(self, latency: float, records: int) -> None:
        """Enter `records` records that took `latency` seconds each in the histogram."""
        bucket = bucket_of(latency)
        self.histogram[bucket] = self.histogram.get(bucket, 0) + records
        if self.least is None or latency < self.least:
            self.least = latency
        if self.most is None or latency > self.most:
            self.most = latency

    def named_alike(self) -> Account:
        """Return an empty account of the same work."""
        return Account(self.step, self.worker, self.key, self.attempt, self.engine, self.at, self.final)

    def include(self, other: Account) -> None:
        """Add the numbers of another account to this one; names, key, set-aside and rejected records stay its own."""
        self.input_records += other.input_records
        self.output_records += other.output_records
        self.rejected_records += other.rejected_records
        self.calls += other.calls
        self.seconds += other.seconds
        self.cpu_seconds += other.cpu_seconds
        if other.created_records:
            self.created_records += other.created_records
        if other.error_count:
            self.error_count += other.error_count
        if other.input_bytes:
            self.input_bytes += other.input_bytes
        if other.output_bytes:
            self.output_bytes += other.output_bytes
        if other.input_tokens:
            self.input_tokens += other.input_tokens
        if other.output_tokens:
            self.output_tokens += other.output_tokens
        if other.unknown:
            self.unknown += other.unknown
        if other.at > self.at:
            self.at = other.at
        if other.reasons:
            self._add_reasons(other.reasons)
        if other.custom:
            add_counts(self.custom, other.custom)
        if other.histogram:
            add_counts(self.histogram, other.histogram)
        if other.least is not None and (self.least is None or other.least < self.least):
            self.least = other.least
        if other.most is not None and (self.most is None or other.most > self.most):
            self.most = other.most
        if other.details:
            self.details = add_up([*self.details, *other.details])

    def since(self, earlier: Account | None) -> Account:
        """Return what this account adds to an earlier one of the same work; none of it is negative."""
        if earlier is None:
            return self
        added = self.named_alike()
        for name in _NUMBERS:
            setattr(added, name, max(0, getattr(self, name) - getattr(earlier, name)))
        grown = ((bucket, n - earlier.histogram.get(bucket, 0)) for bucket, n in self.histogram.items())
        added.histogram = {bucket: n for bucket, n in grown if n > 0}
        added.least, added.most = self.least, self.most
        return added


_NUMBERS = (
    "input_records",
    "output_records",
    "created_records",
    "rejected_records",
    "error_count",
    "calls",
    "seconds",
    "cpu_seconds",
    "input_bytes",
    "output_bytes",
    "input_tokens",
    "output_tokens",
    "unknown",
)


def add_counts(into: dict[Any, Any], more: Mapping[Any, Any]) -> None:
    """Add the numbers of one mapping to another, in place."""
    for name, number in more.items():
        into[name] = into.get(name, 0) + number


def merged(accounts: Iterable[Account]) -> dict[tuple[str, str], Account]:
    """Return the sums of accounts by step and worker."""
    sums: dict[tuple[str, str], Account] = {}
    for account in accounts:
        place = account.step, account.worker
        total = sums.get(place)
        if total is None:
            total = sums[place] = Account(account.step, account.worker)
        total.include(account)
    return sums
