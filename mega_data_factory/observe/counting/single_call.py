"""One call of a step on its way to the sum that it adds to: what most accounts without a key are."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.wire import MARSHAL_VERSION


@dataclass(slots=True)
class SingleCall:
    """Numbers of one call that has returned, where they are all there is to say of it.

    An `Account` of it would say the same and cost three times as much to make, send and add up.

    Attributes:
        step: id of the step within its run.
        worker: name of the worker.
        engine: name of the engine in whose task it was made.
        at: when the call returned, seconds since 1970.
        seconds: time spent in the step.
        cpu_seconds: CPU time of the thread in the step.
        records_in: records offered.
        records_out: records passed on.
        reasons: rejected records by reason.
        reason: of missing records that `reasons` does not explain; None for no reason.
    """

    step: str
    worker: str
    engine: str
    at: float
    seconds: float
    cpu_seconds: float
    records_in: int
    records_out: int
    reasons: Mapping[str, int]
    reason: str | None

    def add_to(self, total: Account) -> None:
        """Add the call to the sum of a step and worker."""
        total.add_call(self.seconds, self.records_in, self.records_out, reasons=self.reasons, reason=self.reason)
        total.cpu_seconds += self.cpu_seconds
        if self.at > total.at:
            total.at = self.at

    def to_bytes(self) -> bytes:
        """Return the call as bytes; its numbers must be Python's own."""
        return marshal.dumps(
            (
                self.step,
                self.worker,
                self.engine,
                self.at,
                self.seconds,
                self.cpu_seconds,
                self.records_in,
                self.records_out,
                dict(self.reasons),
                self.reason,
            ),
            MARSHAL_VERSION,
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> SingleCall:
        """Return the call that `to_bytes` was called on: nothing else may be given."""
        return cls(*marshal.loads(content))  # noqa: S302 - bytes that this run has made
