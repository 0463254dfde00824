"""A step that is a block of code: `with run.step("clean") as step: …; step.records(input=…, output=…)`."""

from __future__ import annotations

import numbers
import time
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import Any

from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.steps.outcome import Outcome
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.observe.steps.work import Work


class Block:
    """A block of code as a step; it may be entered any number of times, one after the other and within each other.

    Args:
        spec: of the step.
    """

    def __init__(self, spec: StepSpec) -> None:
        self.spec = spec
        self._entered: list[_Entered] = []

    def __enter__(self) -> Block:
        self._entered.append(_Entered(self.spec))
        return self

    def records(
        self,
        *,
        input: Any,
        output: Any,
        errors: int = 0,
        reasons: Mapping[str, int] | None = None,
    ) -> None:
        """Say what became of the records; of several calls within the block the last counts.

        Args:
            input: records that came in: a number, or a batch.
            output: records that went out, likewise.
            errors: records that raised and were left out.
            reasons: records rejected, by reason.
        """
        self._entered[-1].say(input, output, errors, reasons or {})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.pop().leave(error)


class _Entered:
    """One passage through the block."""

    def __init__(self, spec: StepSpec) -> None:
        self._work = Work(spec, ())
        self._outcome = Outcome(None, 0)
        self._batches: tuple[Any, Any] | None = None
        self._token: Token[calls.Call | None] = calls.current.set(self._work.call)
        self._started, self._started_cpu = time.perf_counter(), time.thread_time()

    def say(self, records_in: Any, records_out: Any, errors: int, reasons: Mapping[str, int]) -> None:
        self._work.records_in = _number(records_in)
        self._outcome = Outcome(None, _number(records_out), int(errors))
        self._batches = None if errors or reasons else (records_in, records_out)
        self._work.call.reasons |= {reason: int(records) for reason, records in reasons.items()}

    def leave(self, error: BaseException | None) -> None:
        self._work.seconds = time.perf_counter() - self._started
        self._work.cpu_seconds = time.thread_time() - self._started_cpu
        calls.current.reset(self._token)
        if error is None:
            self._survey()
            self._work.finish(self._outcome)
        elif isinstance(error, Exception):  # an interruption is not an error of a record
            self._work.fail()

    def _survey(self) -> None:
        """Look at the records, where batches of them were given and not their numbers."""
        survey = self._work.call.survey
        if survey is None or self._batches is None or any(isinstance(b, numbers.Integral) for b in self._batches):
            return
        records_in, records_out = self._batches
        survey.offer(records_in, self._work.form_of(records_in))
        survey.pass_on(records_out, self._work.form_of(records_out))


def _number(value: Any) -> int:
    if isinstance(value, numbers.Integral):  # also those of NumPy
        return int(value)
    return forms.count_records(value)
