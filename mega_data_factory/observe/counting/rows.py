"""Calls of a step on single records, counted without an account for each call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from mega_data_factory.framework.metrics.rows.histogram import bucket_of
from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.account import Account, add_counts
from mega_data_factory.observe.counting.calls import Call
from mega_data_factory.observe.counting.cpu import CpuShare
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.counting.sampling import Samplers, TaskName

if TYPE_CHECKING:
    from mega_data_factory.observe.counting.survey.survey import Survey

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
"""Types of values that a batch of columns never has."""


def is_row(value: object) -> bool:
    """Return whether a value is certainly a single record: a dict whose first value is a plain one."""
    if type(value) is not dict:
        return False
    for first in value.values():
        return type(first) in _PLAIN
    return False


class Spec(Protocol):
    """What is needed of the specification of a step."""

    @property
    def id(self) -> str:
        """Id of the step."""

    @property
    def name(self) -> str:
        """Name of the step."""

    @property
    def stage(self) -> str:
        """Stage of the step."""

    @property
    def reason(self) -> str | None:
        """Reason of records that are missing in the output."""

    @property
    def flat(self) -> bool | None:
        """Whether a list that is returned is many records."""

    @property
    def samples(self) -> int:
        """Rejected records to keep as examples."""

    def survey(self) -> Survey | None:
        """Return an empty survey of records, where anything is looked at."""


class CalledStep(Protocol):
    """Step whose calls are counted here; it counts itself what is not simple."""

    function: Callable[..., Any]

    def finish_called(self, record: Any, call: Call, seconds: float, result: Any) -> Any:
        """Count a call that has returned, and return its result."""
        ...

    def finish_failed(self, record: Any, seconds: float) -> None:
        """Count a call that has raised."""
        ...


class RowTally:
    """Sums of the calls of one step within one task. Their results mean what they mean to `Step.__call__`.

    The records of a task that came one by one are one batch, which the first of them has counted.

    Args:
        spec: of the step; it lets exceptions pass, and names no text column unless the survey counts it.
        account: takes the sums, when `settle` is called.
        task: that the records belong to.

    Attributes:
        account: the same; may be changed after `settle`.
    """

    __slots__ = (
        "_call",
        "_cpu",
        "_created",
        "_flat",
        "_histogram",
        "_id",
        "_in",
        "_least",
        "_most",
        "_new_survey",
        "_out",
        "_place",
        "_reason",
        "_reasons",
        "_rejected",
        "_samplers",
        "_samples",
        "_seconds",
        "_task",
        "account",
    )  # fmt: skip

    def __init__(self, spec: Spec, account: Account, task: TaskName) -> None:
        self.account = account
        self._reason = spec.reason
        self._flat = spec.flat
        self._place = spec.stage, spec.name
        self._id, self._samples, self._task = spec.id, spec.samples, task
        self._samplers = Samplers()
        self._new_survey = spec.survey
        self._cpu = CpuShare()
        self._call = self._new_call()
        self._reset()

    def _new_call(self) -> Call:
        return Call(self._samplers, self._id, self._samples, self._new_survey(), self._task)

    def _reset(self) -> None:
        self._in = self._out = self._rejected = self._created = 0
        self._seconds = 0.0
        self._reasons: dict[str, int] = {}
        self._histogram: dict[int, int] = {}
        self._least: float | None = None
        self._most: float | None = None

    @property
    def calls(self) -> int:
        """Records counted since the last `settle`."""
        return self._in

    def call(self, step: CalledStep, record: Any) -> Any:
        """Call the function of the step with a record, and count; what is not simple is left to the step."""
        survey = self._call.survey
        if survey is not None:
            survey.offer(record, None)
        token = calls.current.set(self._call)
        self._cpu.start()
        started = time.perf_counter()
        try:
            result = step.function(record)
        except Exception:
            self._call.forget_rejects()
            if survey is not None:
                survey.take_back()
            step.finish_failed(record, time.perf_counter() - started)
            raise
        finally:
            calls.current.reset(token)
        seconds = time.perf_counter() - started
        self._cpu.stop(seconds)
        kind = type(result)
        if result is True or (kind is dict and self._flat is not True):
            out = 1
        elif result is False:
            out = 0
        elif kind is list and self._flat is not False and (not result or type(result[0]) is dict):
            out = len(result)
        elif kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"):
            out = int(result)
        else:
            return self._left_to_step(step, record, seconds, result)
        if out == 0 and self._reason is not None and not self._call.reasons:
            for _, rank in self._call.chosen(self._reason, 1):
                self._call.keep_example(record, self._reason, rank)
        if survey is not None:
            self._look_at(survey, result, out)
        self._count(out, seconds)
        return result

    def _look_at(self, survey: Survey, result: Any, out: int) -> None:
        """Enter what became of a record in the survey."""
        if not out:
            if not self._call.reasons:
                survey.leave_out()
        elif type(result) is dict:
            survey.pass_on_changed(result, None)
        elif type(result) is list:
            survey.pass_on(result, forms.form_of(result))
        else:
            survey.keep()

    def _left_to_step(self, step: CalledStep, record: Any, seconds: float, result: Any) -> Any:
        call, self._call = self._call, self._new_call()
        if call.survey is not None:  # it keeps the records before this one
            self._call.survey, call.survey = call.survey, call.survey.split_last()
        return step.finish_called(record, call, seconds, result)

    def _count(self, out: int, seconds: float) -> None:
        self._in += 1
        self._out += out
        self._seconds += seconds
        bucket = bucket_of(seconds)
        self._histogram[bucket] = self._histogram.get(bucket, 0) + 1
        if self._least is None or seconds < self._least:
            self._least = seconds
        if self._most is None or seconds > self._most:
            self._most = seconds
        reasons = self._call.reasons
        if out != 1 or reasons:
            self._judge(1 - out, reasons)

    def _judge(self, missing: int, reasons: dict[str, int]) -> None:
        """Count records that were rejected and created, as `Account.add_flow` does."""
        named = sum(reasons.values())
        rejected = max(missing, named)
        self._rejected += rejected
        self._created += rejected - missing
        if reasons:
            add_counts(self._reasons, reasons)
            reasons.clear()
        if self._reason is not None and rejected > named:
            self._reasons[self._reason] = self._reasons.get(self._reason, 0) + rejected - named

    def settle(self) -> None:
        """Add the sums to the account."""
        own = Account(
            self.account.step,
            at=time.time(),
            input_records=self._in,
            output_records=self._out,
            created_records=self._created,
            rejected_records=self._rejected,
            seconds=self._seconds,
            cpu_seconds=self._cpu.of(self._seconds),
            reasons=self._reasons,
            custom=self._call.custom,
            histogram=self._histogram,
            least=self._least,
            most=self._most,
        )
        self._call.summarise(own, *self._place, own.rejected_records)
        if (survey := self._call.survey) is not None:
            own.input_bytes, own.output_bytes = survey.bytes_in, survey.bytes_out
        self.account.include(own)
        self.account.set_aside += self._call.samples
        self.account.rejects += own.rejects
        self._call = self._new_call()
        self._reset()
