"""`on_error="skip"`: find the records that raise by halving, set them aside, and keep the rest."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.counting.forms.record_text import record_name, record_text
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.steps.arguments import with_records
from mega_data_factory.observe.steps.outcome import Outcome, outcome_of
from mega_data_factory.observe.steps.streams import is_stream
from mega_data_factory.redaction import described

if TYPE_CHECKING:
    from mega_data_factory.observe.steps.work import Work

_Function: TypeAlias = Callable[..., Any]
_Args: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a part of a batch has raised."""

    error: Exception


@dataclass(frozen=True, slots=True)
class _Tried:
    """A part of the batch and its outcome; None for a record that raises."""

    part: Work
    outcome: Outcome | None


class _Narrowing:
    """Search for the records that raise, one call of the function after another.

    Attributes:
        part: what to call the function with next; None when the search has ended.
        outcome: of the whole call; set when the search has ended.
    """

    part: Work | None
    outcome: Outcome

    def __init__(self, work: Work, error: Exception, like: Any) -> None:
        self._work = work
        self._parts = _narrow(work, error, like)
        self._send(None)

    def proceed(self, answer: Any) -> None:
        """Take what the function returned for `part`, or how it failed, and choose the next part."""
        assert self.part is not None
        self._work.seconds += self.part.seconds
        self._work.cpu_seconds += self.part.cpu_seconds
        self._send(answer)

    def _send(self, answer: Any) -> None:
        try:
            self.part = self._parts.send(answer)
        except StopIteration as end:
            self.part, self.outcome = None, end.value


def skip_failed(
    work: Work, function: _Function, args: _Args, kwargs: Mapping[str, Any], error: Exception, like: Any
) -> Outcome:
    """Return the outcome of a call that has raised: without the records that raise by themselves.

    Args:
        work: the call.
        function: the user's function.
        args, kwargs: as the step was called; one of them is the batch.
        error: what the whole batch raised.
        like: what an earlier call returned, to know what is returned for no record; None if nothing is known.
    """
    narrowing = _Narrowing(work, error, like)
    while (part := narrowing.part) is not None:
        answer: Any
        try:
            answer = part.run(function, *with_records(args, kwargs, part.value))
            answer = list(answer) if is_stream(answer) else answer
        except Exception as failure:  # noqa: BLE001 - any exception of the user's function belongs to its record
            answer = _Failed(failure)
        narrowing.proceed(answer)
    return narrowing.outcome


async def skip_failed_async(
    work: Work, function: _Function, args: _Args, kwargs: Mapping[str, Any], error: Exception, like: Any
) -> Outcome:
    """Do what `skip_failed` does, for a coroutine function."""
    narrowing = _Narrowing(work, error, like)
    while (part := narrowing.part) is not None:
        token = calls.current.set(part.call)
        new_args, new_kwargs = with_records(args, kwargs, part.value)
        answer: Any
        try:
            answer = await part.timed(function(*new_args, **new_kwargs))
        except Exception as failure:  # noqa: BLE001 - likewise
            answer = _Failed(failure)
        finally:
            calls.current.reset(token)
        narrowing.proceed(answer)
    return narrowing.outcome


def _narrow(work: Work, error: Exception, like: Any) -> Generator[Work, Any, Outcome]:
    """Yield parts to try, take what each returned or raised, and return the outcome of all."""
    work.call = work.new_call()  # what the call has said before it raised counts for nothing
    tried = yield from _halved(work, error)
    passed = [part for part in tried if part.outcome is not None]
    for part in tried:
        work.call.include(part.part.call)
    failed = sum(part.part.records_in for part in tried if part.outcome is None)
    return Outcome(
        (yield from _joined(work, tried, like)),
        sum(part.outcome.records_out for part in passed if part.outcome is not None),
        errors=failed,
        text_bytes=sum(part.outcome.text_bytes for part in passed if part.outcome is not None),
        decided=bool(passed) and all(part.outcome.decided for part in passed if part.outcome is not None),
    )


def _halved(work: Work, error: Exception) -> Generator[Work, Any, list[_Tried]]:
    """Return the largest parts of a batch that do not raise, and the single records that do, in order."""
    records = work.records_in
    if records <= 1 or work.form is None:
        work.account.set_aside.append(_set_aside(work, error))
        failed = work.part(work.value, records)
        if failed.call.survey is not None:
            failed.call.survey.fail()
        return [_Tried(failed, None)]
    found: list[_Tried] = []
    for start, stop in ((0, records // 2), (records // 2, records)):
        part = work.part(work.form.cut(work.value, start, stop), stop - start)
        answer = yield part
        if isinstance(answer, _Failed):
            part.call = part.new_call()
            found += yield from _halved(part, answer.error)
        else:
            found.append(_Tried(part, outcome_of(part, answer)))
    return found


def _set_aside(work: Work, error: Exception) -> SetAside:
    record = work.value if work.form is None else next(iter(work.form.records(work.value)), None)
    return SetAside(described(error), record_text(record), record_id=record_name(record))


def _joined(work: Work, tried: list[_Tried], like: Any) -> Generator[Work, Any, Any]:
    """Return the results of the parts as one, of the kind that the function returns."""
    outcomes = [part.outcome for part in tried if part.outcome is not None]
    if work.form is None:
        return _nothing(like)
    if not outcomes and like is not None and forms.mask_of(like, forms.count_records(like)) is not None:
        return forms.none_of(like, work.value)
    if not outcomes:
        answer = yield work.part(work.form.cut(work.value, 0, 0), 0)  # its columns are those of the others
        if not isinstance(answer, list | _Failed) and forms.mask_of(answer, 0) is not None:
            return forms.none_of(answer, work.value)
        return work.form.cut(work.value, 0, 0) if isinstance(answer, _Failed) else answer
    results = [outcome.result for outcome in outcomes]
    if all(outcome.decided for outcome in outcomes):
        results = [
            forms.none_of(results[0], part.part.value) if part.outcome is None else part.outcome.result
            for part in tried
        ]
    if len(results) == 1:
        return results[0]
    form = work.form_of(results[0])
    return results[-1] if form is None else form.join(results)


def _nothing(like: Any) -> Any:
    """Return what stands for a record that is left out, by what the function returned for another."""
    if forms.decision_of(like) is not None:
        return False
    return type(like)() if isinstance(like, list | tuple) else None
