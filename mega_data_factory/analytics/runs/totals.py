"""Operators and stages of one run over all their workers: counts, seconds and histograms, added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mega_data_factory.formats import count, plural
from mega_data_factory.framework.metrics.rows.fields import per_second
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram, bounded_quantile
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.rollup import top_reason


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class WorkerTotals:
    """One worker of a stage.

    Attributes:
        worker: its id.
        records: records that it took in.
        busy: seconds that it was busy, over the operators of the stage.
        batches: batches that it measured.
        median: median of its seconds per record in the operator that is busiest in the stage; None if that is not
            known.
        size: Bytes that it took in, of an observed step bytes of text; 0 if that was not measured.
        buckets, counts: Its histogram of seconds per record there: sorted bucket numbers and records, shape (b,).
    """

    worker: str
    records: int
    busy: float
    batches: int
    median: float | None = None
    size: int = 0
    buckets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def rate(self) -> float | None:
        """Records per second busy; None if it was never busy."""
        return self.records / self.busy if self.busy else None

    @cached_property
    def lower_quartile(self) -> float | None:
        """Seconds per record that a quarter of its records needed at most; None if that is not known."""
        pairs = zip(self.buckets.tolist(), self.counts.tolist(), strict=True)
        return LatencyHistogram.from_pairs(pairs).quantile(0.25)


def by_count(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return reasons, the most frequent first; of equals the first by name."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


UNITS = ("input_text_bytes", "output_text_bytes", "input_tokens", "output_tokens")
"""Counts of operators and stages, None if they are not known: bytes of text and tokens, in and out."""

CHANGED = "changed_records"


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class OperatorTotals:
    """One operator instance over all its workers.

    Attributes:
        stage, name: which.
        stage_index, index: place of the stage in the plan, and of the operator in the stage.
        workers: distinct workers that reported.
        input, output, rejected, errors: records.
        busy: seconds, over all workers.
        batches: batches measured.
        reasons: records rejected, by reason, the most first.
        buckets, counts: histogram of seconds per record: sorted bucket numbers and records in each, shape (b,).
        unmatched: Records of the output that did not match the operator's condition.
        created: Records made beside those that came in.
        uncommitted_input, uncommitted_output, uncommitted_busy: records and seconds of batches that have passed all
            stages and are in no file yet; in no other number.
        least, most: Least and most seconds per record of any batch; None if that is not known.
        cpu: Seconds of CPU while busy, over all workers; 0 if that was not measured.
        custom: What the operator reported: sums of numbers, of other values the last.
        input_text_bytes, output_text_bytes: Bytes of text in the records; None if they were not counted.
        input_tokens, output_tokens: Tokens in the records, likewise.
        changed_records: Records of the output whose values the operator changed; None if it is no refiner.
    """

    stage: str
    name: str
    stage_index: int
    index: int
    workers: int
    input: int
    output: int
    rejected: int
    errors: int
    busy: float
    batches: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    buckets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unmatched: int = 0
    uncommitted_input: int = 0
    uncommitted_output: int = 0
    uncommitted_busy: float = 0.0
    created: int = 0
    least: float | None = None
    most: float | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    cpu: float = 0.0
    input_text_bytes: int | None = None
    output_text_bytes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    changed_records: int | None = None

    @property
    def counts_records(self) -> bool:
        """Whether records came in or out; a block around some work may have measured its time only."""
        return bool(self.input or self.output)

    @classmethod
    def from_row(cls, row: OperatorMetrics, workers: int = 1) -> OperatorTotals:
        """Return the totals of a row that is added up over workers already.

        Args:
            row: as `rollup.over_workers` returns it.
            workers: distinct workers that reported.
        """
        pairs = np.array(sorted(row.weighed_histogram().to_pairs()), np.int64).reshape(-1, 2)
        return cls(
            stage=row.stage_name,
            name=row.operator_name,
            stage_index=row.stage_index,
            index=row.operator_index,
            workers=workers,
            input=row.input_records,
            output=row.output_records,
            rejected=row.rejected_records,
            errors=row.error_count,
            busy=row.total_time,
            batches=row.batches,
            reasons=by_count(row.rejected_reasons),
            buckets=pairs[:, 0],
            counts=pairs[:, 1],
            unmatched=row.unmatched_records,
            uncommitted_input=row.uncommitted_input_records,
            uncommitted_output=row.uncommitted_output_records,
            uncommitted_busy=row.uncommitted_time,
            created=row.created_records,
            least=row.min_latency,
            most=row.max_latency,
            custom=row.custom_metrics,
            **{unit: getattr(row, unit) for unit in (*UNITS, CHANGED)},
            cpu=row.cpu_time,
        )

    @property
    def label(self) -> str:
        """`stage / operator`: distinct in the run."""
        return f"{self.stage} / {self.name}"

    @property
    def cost(self) -> float | None:
        """Seconds per record that came in; None if nothing did."""
        return self.busy / self.input if self.input else None

    @property
    def pass_share(self) -> float | None:
        """Output / input, over 1 if records are created; None if nothing came in."""
        return self.output / self.input if self.input else None

    @property
    def rate(self) -> float | None:
        """Records per second busy of one worker, in the mean; None if none was busy."""
        return per_second(self.input, self.busy)

    @property
    def top_reason(self) -> str:
        """Most frequent reason of its rejects, in words."""
        return top_reason(self.reasons, self.rejected)

    def latency(self, q: float) -> float | None:
        """Return the quantile `q` of seconds per record, within those of any batch; None without any."""
        return bounded_quantile(self.histogram, q, self.least, self.most)

    @cached_property
    def histogram(self) -> LatencyHistogram:
        """Seconds per record, weighted by records."""
        return LatencyHistogram.from_pairs(zip(self.buckets.tolist(), self.counts.tolist(), strict=True))


class OperatorChain:
    """Operators that records pass one after the other, with what they add up to.

    Attributes:
        operators: in order; one at least.
    """

    operators: tuple[OperatorTotals, ...]

    @property
    def input(self) -> int:
        """Records that came in to the first operator; one that measures time only is passed over."""
        return self._first.input if self._first else 0

    @property
    def output(self) -> int:
        """Records that the last operator passed on; one that measures time only is passed over."""
        return self._last.output if self._last else 0

    @property
    def input_text_bytes(self) -> int | None:
        """Bytes of text that came in to the first operator; None if they were not counted."""
        return self._first.input_text_bytes if self._first else None

    @property
    def output_text_bytes(self) -> int | None:
        """Bytes of text that the last operator passed on; None if they were not counted."""
        return self._last.output_text_bytes if self._last else None

    @property
    def input_tokens(self) -> int | None:
        """Tokens that came in to the first operator; None if they were not counted."""
        return self._first.input_tokens if self._first else None

    @property
    def output_tokens(self) -> int | None:
        """Tokens that the last operator passed on; None if they were not counted."""
        return self._last.output_tokens if self._last else None

    @property
    def _first(self) -> OperatorTotals | None:
        return next((operator for operator in self.operators if operator.counts_records), None)

    @property
    def _last(self) -> OperatorTotals | None:
        return next((operator for operator in reversed(self.operators) if operator.counts_records), None)

    @property
    def errors(self) -> int:
        """Records that raised and were set aside, over all operators."""
        return sum(operator.errors for operator in self.operators)

    @property
    def created(self) -> int:
        """Records made beside those that came in, over all operators."""
        return sum(operator.created for operator in self.operators)


@dataclass(frozen=True, eq=False)
class StageTotals(OperatorChain):
    """One stage over all its workers.

    Attributes:
        name, index: which, and its place in the plan.
        operators: in order; one at least.
        workers: those that reported, by id; empty if single workers are not known.
        pool: size of its pool: as configured where it is fixed, else the workers that were seen.
        num_workers: distinct workers that reported.
    """

    name: str
    index: int
    operators: tuple[OperatorTotals, ...]
    workers: tuple[WorkerTotals, ...]
    pool: int
    num_workers: int

    @property
    def workers_text(self) -> str:
        """How many workers reported, and of how many if that is not all: `2 of 4 workers`."""
        if self.num_workers < self.pool:
            return f"{count(self.num_workers)} of {plural(self.pool, 'worker')}"
        return plural(self.num_workers, "worker")

    @property
    def rejected(self) -> int:
        """Records rejected, over all operators."""
        return sum(operator.rejected for operator in self.operators)

    @property
    def pass_share(self) -> float | None:
        """Output / input, over 1 if records are created; None if nothing came in."""
        return self.output / self.input if self.input else None

    @property
    def busy(self) -> float:
        """Seconds busy, over all operators and workers."""
        return sum(operator.busy for operator in self.operators)

    @property
    def rate(self) -> float | None:
        """Records per second busy of one worker, in the mean; None if none was busy."""
        return per_second(self.input, self.busy)
