"""What became of the records of a call, by what the user's function returned."""

from __future__ import annotations

import sys
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mega_data_factory.observe.counting.forms import forms

if TYPE_CHECKING:
    from mega_data_factory.observe.steps.work import Work


@dataclass(slots=True)
class Outcome:
    """Result of a call.

    Attributes:
        result: what the step returns.
        records_out: records passed on.
        errors: records that raised and were left out.
        text_bytes: bytes of the text column of the records passed on.
        decided: whether the result is the decision of a filter: a truth value, or a mask.
    """

    result: Any
    records_out: int
    errors: int = 0
    text_bytes: int = 0
    decided: bool = False

    def exemplar(self) -> Any:
        """Return something small of the kind of the result: a decision, a mask of one entry, an empty list; or None."""
        form = forms.form_of(self.result)
        if self.decided:
            return self.result if form is None else form.cut(self.result, 0, 1)
        return [] if isinstance(self.result, list) else None


def outcome_of(work: Work, result: Any) -> Outcome:
    """Return the outcome of a call whose function returned `result`.

    Args:
        work: the call.
        result: what the function returned; a `Judgement` is turned into the records that stay.
    """
    judged = False
    contracts = sys.modules.get("mega_data_factory.framework.contracts")
    if contracts is not None and isinstance(result, contracts.Judgement):
        from mega_data_factory.observe.steps.judging import apply_judgement

        judgement, result = result, apply_judgement(work, result)
        if work.call.survey is not None:
            work.call.survey.keep(judgement.kept.to_pylist())
            judged = True
    spec = work.spec
    kept = _kept_by_decision(work, result)
    if kept is not None:
        keep_examples(work, result, kept)
        if work.call.survey is not None and not judged:
            work.call.survey.keep(None if kept == work.records_in else _entries(work, result))
        return Outcome(result, kept, text_bytes=_kept_bytes(work, result, kept), decided=True)
    records_out = _records_out(work, result)
    text_bytes = forms.text_bytes(result, spec.text) if spec.text is not None and records_out else 0
    if work.call.survey is not None and records_out and not judged:
        _survey(work, result, records_out)
    return Outcome(result, records_out, text_bytes=text_bytes)


def _survey(work: Work, result: Any, records_out: int) -> None:
    """Enter the records that the function returned in the survey; where it returned none, those that it was given."""
    survey, form = work.call.survey, work.form_of(result)
    assert survey is not None
    if work.form is None and not _is_many(work, result):
        form = None
    if result is not None and (1 if form is None else form.count(result)) == records_out:
        take = survey.pass_on_changed if records_out == work.records_in else survey.pass_on
        take(work.whole(result, records_out), form)
    elif records_out == work.records_in:
        survey.keep()


def _entries(work: Work, decision: Any) -> list[bool]:
    return [bool(decision)] if work.form is None else forms.entries_of(decision)


def _kept_by_decision(work: Work, result: Any) -> int | None:
    """Return how many records a decision keeps; None if the result is none."""
    if work.spec.filters is False:
        return None
    if work.form is None:
        decision = forms.decision_of(result)
        return None if decision is None else int(decision) * work.records_in
    if type(result) is list and (work.records_in == 0 or len(result) != work.records_in):
        return None
    if forms.is_table(result):
        return None
    return forms.mask_of(result, work.records_in)


def keep_examples(work: Work, decision: Any, kept: int) -> None:
    """Keep examples of the records that a decision leaves out, if the step has a reason.

    Args:
        work: the call.
        decision: a truth value, or a mask.
        kept: records that it keeps.
    """
    reason = work.spec.reason
    if reason is None or kept == work.records_in or work.call.reasons:
        return
    chosen = work.call.chosen(reason, work.records_in - kept)
    if not chosen:
        return
    rejected = [at for at, entry in enumerate(_entries(work, decision)) if not entry]
    for place, rank in chosen:
        at, record = rejected[place], work.value
        if work.form is not None:
            record = next(iter(work.form.records(work.form.cut(work.value, at, at + 1))))
        work.call.keep_example(record, reason, rank)


def _kept_bytes(work: Work, result: Any, kept: int) -> int:
    if work.spec.text is None or not kept:
        return 0
    if kept == work.records_in or work.form is None:
        return work.account.input_bytes
    return forms.text_bytes(work.form.keep(work.value, forms.entries_of(result)), work.spec.text)


def _records_out(work: Work, result: Any) -> int:
    if result is None:  # a function without a result has not rejected anything, unless the step is there to reject
        return 0 if work.spec.reason is not None or work.call.reasons else work.records_in
    if result is work.value and work.form is not None:
        return work.records_in
    form = work.form_of(result)
    if form is not None and work.form is not None:
        return form.count(result)
    if form is None and work.spec.count is not None:
        return int(work.spec.count(result))
    if forms.is_lazy(result):
        work.account.unknown += work.records_in > 0
        return work.records_in
    if work.form is None and not _is_many(work, result):
        return 1
    if form is not None:
        return form.count(result)
    if work.form is None:
        return work.count(result, None)
    known = work.engine.records(result)
    if known is not None:
        return known
    if isinstance(result, Set | Sequence) and not isinstance(result, str | bytes | bytearray):
        return len(result)  # a batch has become a set of records, say
    return work.records_in


def _is_many(work: Work, result: Any) -> bool:
    """Return whether what came out for one record is any number of records."""
    if work.spec.flat is not None:
        return work.spec.flat
    if type(result) not in (list, tuple) or hasattr(result, "_fields"):
        return work.engine.records(result) is not None
    return not result or type(result[0]) is type(work.value)
