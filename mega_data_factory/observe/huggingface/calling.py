"""Calls of a step that is bound to a piece of work: with a batch, or with a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.counting.forms.form import Form
from mega_data_factory.observe.counting.sampling import Sampler
from mega_data_factory.observe.huggingface.pieces import Piece
from mega_data_factory.observe.steps.outcome import Outcome, keep_examples, outcome_of
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.observe.steps.step import AsyncStep, Step
from mega_data_factory.observe.steps.work import Work

_SETTLE_SECONDS = 0.001
"""Busy seconds after which single records are entered in the histogram together, as one batch."""

_SETTLE_RECORDS = 1000
"""Records after which they are, at the latest."""


class _PieceWork(Work):
    """A call with a batch of `datasets`.

    The batch may be lazy: its columns are made when they are looked at, so they are not looked at. And a function that
    returns nothing, or no column, changes nothing.
    """

    __slots__ = ()

    def form_of(self, value: Any) -> Form | None:
        """Return the form of a value."""
        return _LAZY if type(value).__name__ == "LazyBatch" else super().form_of(value)

    def outcome(self, result: Any) -> Outcome:
        """Return what became of the records."""
        if not self.spec.filters:
            if result is None or (isinstance(result, Mapping) and len(result) == 0):
                if self.call.survey is not None:
                    self.call.survey.keep()
                return Outcome(result, self.records_in, text_bytes=self.account.input_bytes)
        elif type(result) is list and self._only_counts:  # a mask, whatever its entries are
            kept = result.count(True)
            if kept + result.count(False) == len(result) == self.records_in:
                keep_examples(self, result, kept)
                return Outcome(result, kept, decided=True)
        return super().outcome(result)

    def whole(self, result: Any, records: int) -> Any:
        """Return the columns of a result; those that `map` is not given stay as they were."""
        survey = self.call.survey
        if survey is None or not isinstance(result, Mapping) or records != self.records_in:
            return result
        return {**_wanted(self.value, survey.wanted), **result}

    @property
    def _only_counts(self) -> bool:
        return self.spec.text is None and self.call.survey is None


class _InPiece:
    spec: StepSpec

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work:
        return _PieceWork(self.spec, _first(args, kwargs))


class BatchStep(_InPiece, Step):
    """A step that is called with batches of columns."""


class AsyncBatchStep(_InPiece, AsyncStep):
    """A coroutine function that is called with batches or records."""


def record_step(spec: StepSpec, function: Callable[..., Any], piece: Piece) -> Callable[..., Any]:
    """Return a step that is called with one record: a closure, which costs a quarter of a microsecond a record.

    Args:
        spec: of the step.
        function: the user's function.
        piece: what the records belong to.
    """
    clock = time.perf_counter
    other = _OtherRecords(spec, function, piece)
    survey = piece.call.survey
    decides, skips = bool(spec.filters), spec.on_error == "skip"
    weighs = spec.text is not None and survey is None
    cpu, busy, seen, kept = piece.flow.cpu, 0.0, 0, 0
    sampler = piece.sampler

    def settle() -> None:
        nonlocal busy, seen, kept
        if seen:
            piece.flow.add(seen, kept if decides else seen, busy)
            busy, seen, kept = 0.0, 0, 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal busy, seen, kept
        if survey is not None:
            survey.offer(_first(args, kwargs), None)
        cpu.start()
        started = clock()
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            seconds = clock() - started
            settle()
            if survey is not None:
                other.take_back(failed=not skips)
            if skips:
                return other.skipped(error, seconds, args, kwargs)
            piece.flow.add(1, 0, seconds, errors=1)
            raise
        spent = clock() - started
        cpu.stop(spent)
        busy += spent
        seen += 1
        if decides:
            if result is True:
                kept += 1
            elif result is not False:
                result, keeps = other.decision(result, args, kwargs)
                kept += keeps
            elif sampler is not None and not piece.call.reasons:
                if sampler.passing:
                    sampler.passing -= 1
                else:
                    other.keep_example(sampler, args, kwargs)
        if survey is not None:
            other.look_at(result, args, kwargs)
        if weighs:
            other.weigh(result, args, kwargs)
        if busy > _SETTLE_SECONDS or seen > _SETTLE_RECORDS:
            settle()
            piece.report()
        return result

    piece.flow.settle = settle
    return call


class _OtherRecords:
    """What is rare, or asked for, with single records: errors, decisions that are not plain, bytes of text.

    Args:
        spec: of the step.
        function: the user's function.
        piece: what the records belong to.
    """

    def __init__(self, spec: StepSpec, function: Callable[..., Any], piece: Piece) -> None:
        self._spec = spec
        self._function = function
        self._piece = piece

    def decision(self, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, int]:
        """Return a judgement, a NumPy truth value, or what else is true or not, as `filter` takes it; and as 0 or 1."""
        work = Work(self._spec, _first(args, kwargs))
        outcome = outcome_of(work, result)
        if not outcome.decided:
            return result, int(bool(result))
        if work.call.survey is not None:  # the piece knows what was offered, and asks for the decision
            work.call.survey.take_back()
            work.call.survey.forget_passed()
        self._piece.call.include(work.call)
        return outcome.result, outcome.records_out

    def keep_example(self, sampler: Sampler, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Keep a rejected record that the sampler chooses as an example."""
        assert self._spec.reason is not None
        for _, rank in sampler.choose(1):
            self._piece.call.keep_example(_first(args, kwargs), self._spec.reason, rank)

    def skipped(self, error: Exception, seconds: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Set a record aside that raised; return what leaves it out."""
        from mega_data_factory.observe.steps.skipping import skip_failed

        work = Work(self._spec, _first(args, kwargs))
        work.seconds = seconds
        return work.finish(skip_failed(work, self._function, args, kwargs, error, True))

    def take_back(self, *, failed: bool) -> None:
        """Forget the record that was offered last and has raised, or enter it as an error."""
        survey = self._piece.call.survey
        assert survey is not None
        if failed:
            survey.fail_last(1)
        else:
            survey.take_back()

    def look_at(self, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Enter what became of a record in the survey; columns that `map` is not given stay as they were."""
        survey = self._piece.call.survey
        assert survey is not None
        if self._spec.filters:
            survey.keep([bool(result)])
        elif isinstance(result, Mapping) and any(name in result for name in survey.wanted):
            survey.pass_on_changed({**_wanted(_first(args, kwargs), survey.wanted), **result}, None)
        else:
            survey.keep()

    def weigh(self, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Add the bytes of the text of a record."""
        column, flow = str(self._spec.text), self._piece.flow
        before = _text_bytes(_first(args, kwargs), column)
        flow.input_bytes += before
        if self._spec.filters:
            flow.output_bytes += before if result else 0
        else:
            changed = isinstance(result, Mapping) and column in result
            flow.output_bytes += _text_bytes(result, column) if changed else before


def _wanted(record: Any, names: list[str]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()), None)


def _text_bytes(record: Any, column: str) -> int:
    if not isinstance(record, Mapping):
        return forms.text_bytes([record], column)
    return forms.text_bytes([record[column]], column) if column in record else 0


def _lazy_count(batch: Any) -> int:
    """Return the records of a lazy batch without making its columns; the function may have replaced some."""
    for name, column in batch.data.items():
        if name not in batch.keys_to_format:
            return len(column)
    return int(batch.pa_table.num_rows)


_LAZY = replace(
    forms.COLUMNS,
    name="lazy-columns",
    count=_lazy_count,
    cut=lambda v, start, stop: forms.COLUMNS.cut(dict(v), start, stop),
    keep=lambda v, mask: forms.COLUMNS.keep(dict(v), mask),
    records=lambda v: forms.COLUMNS.records(dict(v)),
)
