"""Progress of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import Exclusion


@dataclass(frozen=True)
class StageLoad:
    """Load of a stage: its workers and batches.

    Attributes:
        workers: workers that it has now.
        backlog: batches that wait for it or that its workers hold.
    """

    workers: int
    backlog: int


@dataclass(frozen=True)
class StageProgress:
    """Progress of a stage, by the batches that have passed the last stage.

    Attributes:
        name: of the stage.
        input_records: records offered to its first operator.
        output_records: records that its last operator passed on.
        rejected: records that its filters rejected.
        errors: records that raised in it.
        workers: workers that it has now.
        backlog: batches that wait for it or that its workers hold; None if the engine does not know.
    """

    name: str
    input_records: int = 0
    output_records: int = 0
    rejected: int = 0
    errors: int = 0
    workers: int = 0
    backlog: int | None = None


@dataclass(frozen=True)
class Progress:
    """Progress of a run; yielded by `Executor.execute`.

    Attributes:
        records_read: records that have passed all stages or left on the way.
        records_passed: of these, records that are still in and wait for the writer, or are written.
        records_written: records in finished files.
        batches_committed: batches in the books.
        records_rejected: records rejected by filters.
        record_errors: records that raised, the loader's included.
        dead_lettered: records set aside because they killed their worker.
        elapsed: seconds since the start.
        share: how much of the source has passed all stages, 0 to 1; None while that is unknown.
        share_unit: what that is a share of: `records`, `bytes` or `splits` of the source.
        stages: how far every stage is, in plan order; empty if metrics are off.
        reasons: records rejected so far, by reason; updated in place.
        last_error: the record that raised last; None if none has.
        step: records read and records passed since the progress before; what it is as a pair.
    """

    records_read: int = 0
    records_passed: int = 0
    records_written: int = 0
    batches_committed: int = 0
    records_rejected: int = 0
    record_errors: int = 0
    dead_lettered: int = 0
    elapsed: float = 0.0
    share: float | None = None
    share_unit: str = "records"
    stages: tuple[StageProgress, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    last_error: Exclusion | None = None
    step: tuple[int, int] = (0, 0)

    def __iter__(self) -> Iterator[int]:
        return iter(self.step)

    @property
    def records_waiting(self) -> int:
        """Records that have passed all stages and are in no finished file yet."""
        return max(0, self.records_passed - self.records_written)
