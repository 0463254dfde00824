"""The call of a step that the current code runs in: what it rejects and reports."""

from __future__ import annotations

import numbers
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.observe.counting.account import Account, add_counts
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.counting.forms.record_text import record_name, record_text
from mega_data_factory.observe.counting.sampling import Samplers, TaskName
from mega_data_factory.observe.counting.set_aside import SetAside

if TYPE_CHECKING:
    from mega_data_factory.observe.counting.survey.survey import Survey


class Call:
    """What the user's function says during one call.

    Args:
        samplers: choose the rejected records that are kept as examples; None: none.
        step: id of the step.
        most: examples of every reason.
        task: that the call belongs to.
        survey: of the records, where more is asked of them than their number.

    Attributes:
        reasons: records rejected, by reason.
        custom: custom numbers.
        samples: rejected records.
        details: summaries of what the function decided.
        survey: as given.
    """

    __slots__ = (
        "_most",
        "_samplers",
        "_scored",
        "_step",
        "_task",
        "custom",
        "details",
        "reasons",
        "samples",
        "survey",
    )  # fmt: skip

    def __init__(
        self,
        samplers: Samplers | None = None,
        step: str = "",
        most: int = 0,
        survey: Survey | None = None,
        task: TaskName | None = None,
    ) -> None:
        self._samplers = samplers
        self._step = step
        self._most = most
        self._task = task
        self.survey = survey
        self.reasons: dict[str, int] = {}
        self.custom: dict[str, float] = {}
        self.samples: list[SetAside] = []
        self.details: tuple[Detail, ...] = ()
        self._scored: list[tuple[str, float, float | None, int]] = []  # the fields of a `scoring.Reject`

    def reject(self, record: Any, records: int, reason: str, score: float | None, threshold: float | None) -> None:
        """Count rejected records, and keep those as examples that may belong to the sample.

        Args:
            record: the record, or a batch of them.
            records: how many they are.
            reason: why.
            score: the number that decided.
            threshold: what it was compared with.
        """
        self.reasons[reason] = self.reasons.get(reason, 0) + records
        for place, rank in self.chosen(reason, records):
            self.keep_example(forms.record_at(record, place), reason, rank, score, threshold)

    def chosen(self, reason: str, records: int) -> list[tuple[int, float]]:
        """Return which of some records that were rejected are kept as examples: their places, with their ranks."""
        if self._samplers is None or self._task is None or not records:
            return []
        return self._samplers.choose(self._step, reason, self._most, records, self._task)

    def keep_example(
        self,
        record: Any,
        reason: str,
        rank: float,
        score: float | None = None,
        threshold: float | None = None,
    ) -> None:
        """Keep a rejected record that was chosen."""
        name = record_name(record)
        self.samples.append(SetAside(reason, record_text(record), "rejected", name, score, threshold, rank))

    def forget_rejects(self) -> None:
        """Drop what was rejected since `reasons` was cleared: the call has raised, and its records are errors."""
        while self._scored:
            reason, _, _, records = self._scored[-1]
            if self.reasons.get(reason, 0) < records:
                break
            self.reasons[reason] -= records
            self._scored.pop()
        self.reasons.clear()

    def note_score(self, reason: str, score: float, threshold: float | None, records: int) -> None:
        """Keep the score of records that the function rejects by name."""
        self._scored.append((reason, score, threshold, records))

    @property
    def has_summary(self) -> bool:
        """Whether `summarise` would change an account."""
        return bool(self.survey is not None or self._scored or self.details)

    @property
    def says_more_than_reasons(self) -> bool:
        """Whether an account must say more of the call than how many records were rejected for which reason."""
        return bool(self.survey is not None or self.custom or self.samples or self._scored or self.details)

    def summarise(self, account: Account, stage: str, operator: str, rejected: int = 0) -> None:
        """Add the details of the call to an account, its tokens, and where it is final its rejected records.

        Args:
            account: gets them.
            stage: Stage of the step.
            operator: Name of the step.
            rejected: How many of the rejected records of the account are the call's.
        """
        found = [*account.details, *self.details]
        if self._scored:
            from mega_data_factory.framework.scoring import Reject, scores_of_rejects  # brings Arrow

            found.append(scores_of_rejects(stage, operator, [Reject(*scored) for scored in self._scored]))
        if self.survey is not None:
            found += self.survey.details(final=account.final)
            account.input_tokens += self.survey.tokens_in
            account.output_tokens += self.survey.tokens_out
            if account.final:
                account.rejects += self.survey.reject_rows(rejected)
        if found:
            account.details = add_up(found) if len(found) > 1 else tuple(found)

    def include(self, other: Call) -> None:
        """Add what another call has said."""
        add_counts(self.reasons, other.reasons)
        add_counts(self.custom, other.custom)
        self.samples += other.samples
        self._scored += other._scored
        self.details = add_up([*self.details, *other.details])
        if self.survey is not None and other.survey is not None:
            self.survey.include(other.survey)


def plain_text(text: str) -> str:
    """Return a text as a `str`, which a member of an enumeration or a string of NumPy only inherits from."""
    return str.__str__(text)


current: ContextVar[Call | None] = ContextVar("mdf_observed_call", default=None)


def reject(record: Any, reason: str, *, score: float | None = None, threshold: float | None = None) -> None:
    """Say why a record, or every record of a batch, is left out of the result of the step that runs.

    Outside of a step nothing happens, so that a function can be tested by itself.

    Args:
        record: the record, or a batch of them.
        reason: short stable name, snake case.
        score: the number that decided.
        threshold: what it was compared with.

    Raises:
        TypeError: the reason is not text.
    """
    if not isinstance(reason, str):
        raise TypeError(f"a reason must be text, not {reason!r}")
    call = current.get()
    if call is not None:
        reason = plain_text(reason)  # what travels is of Python's own types: a score of NumPy would not arrive as one
        score, threshold = (None if number is None else float(number) for number in (score, threshold))
        records = forms.count_records(record)
        call.reject(record, records, reason, score, threshold)
        if call.survey is not None:
            call.survey.reject(record, forms.form_of(record), reason, score, threshold)
        if score is not None:
            call.note_score(reason, score, threshold, records)


def report(metric: str, value: float) -> None:
    """Add `value` to a custom number of the step that runs; sums add up over calls and workers.

    Report what adds (tokens, cache hits): of a mean, report numerator and denominator. Outside of a step nothing
    happens.

    Args:
        metric: name of the number.
        value: what to add.
    """
    call = current.get()
    if call is not None:
        metric, number = plain_text(metric), int(value) if isinstance(value, numbers.Integral) else float(value)
        call.custom[metric] = call.custom.get(metric, 0) + number
