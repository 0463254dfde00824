"""What came of one rule for one subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "not judged"]


@dataclass(frozen=True)
class Check:
    """One rule on one subject.

    Attributes:
        rule: Kind of the rule.
        subject: The run, or an operator, a reason, a column.
        status: What came of it; `not judged` where the numbers are missing, or other programs took the CPU.
        message: The reason, in one sentence.
        before, after: The numbers that were compared; None if there is nothing to compare.
        low, high: 95 % interval of the difference, in the unit of `unit`; None if not known or not needed.
        unit: `times`, `points`, or empty.
    """

    rule: str
    subject: str
    status: Status
    message: str
    before: float | None = None
    after: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Verdict:
    """What came of all rules.

    Attributes:
        run_id: The run.
        baseline: Ids of the runs that it was compared with, the newest first.
        checks: In the order of the rules.
    """

    run_id: str
    baseline: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def not_judged(self) -> tuple[Check, ...]:
        """The checks that could not be judged."""
        return tuple(check for check in self.checks if check.status == "not judged")
