"""Steps over iterators: records are counted as they pass, and the account is delivered before the end is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.cpu import CpuShare
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.engines.engine import NO_RESULT

if TYPE_CHECKING:
    from mega_data_factory.observe.counting.forms.form import Form
    from mega_data_factory.observe.steps.spec import StepSpec
    from mega_data_factory.observe.steps.work import Work

_PROGRESS_SECONDS = 1.0
"""Seconds from one delivery of an unfinished account to the next."""


def is_stream(value: object) -> bool:
    """Return whether a value is an iterator: its items come one after the other, once."""
    kind = type(value)
    known = _STREAMS.get(kind)
    if known is None:
        known = _STREAMS[kind] = hasattr(kind, "__next__")
    return known


_STREAMS: dict[type, bool] = {}
"""Whether values of a type are iterators: asking a type for what it does not have costs more than counting a batch."""


class Stream:
    """A call of a step whose records come or go one after the other.

    Its account names the whole stream. It is delivered about every second while records flow, each time with all
    counts so far, and a last time before the consumer sees the end.

    Args:
        work: the call.
        spec: of the step.
        records_in: records of the batch or record that the call was given; 0 if its input is an iterator.
    """

    def __init__(self, work: Work, spec: StepSpec, records_in: int = 0) -> None:
        self._work = work
        self._spec = spec
        self._in = self._unsettled = records_in
        self._out = 0
        self._calls = 0
        self._busy = self._unsettled_busy = work.seconds
        self._waited = 0.0
        self._cpu = CpuShare()
        self._reported = time.monotonic()
        self._ended = False
        if work.account.key is None:  # later accounts of the stream replace earlier ones
            work.account.key = f"{work.account.worker}/{os.urandom(8).hex()}"

    def source(self, items: Iterator[Any]) -> Iterator[Any]:
        """Yield the items of the input, counted; the time that they take is not the step's."""
        account, text, survey = self._work.account, self._spec.text, self._work.call.survey
        while True:
            started = time.perf_counter()
            self._cpu.pause()
            token = calls.current.set(None)  # what is upstream runs in its own call
            try:
                item = next(items)
                self._work.note_content(item)
            except StopIteration:
                return
            finally:
                calls.current.reset(token)
                self._cpu.resume()
                self._waited += time.perf_counter() - started
            form = self._work.form_of(item)
            records = self._work.count(item, form)
            if survey is not None:
                survey.offer(item, form)
            self._in += records
            self._unsettled += records
            self._calls += 1
            if text is not None:
                account.input_bytes += forms.text_bytes(item, text)
            yield item

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function within the call of the step, and time it without its waiting for input.

        What it raises passes through; records that it has read since the last output are counted as errors.
        """
        token = calls.current.set(self._work.call)
        waited, started = self._waited, time.perf_counter()
        self._cpu.start()
        failed = True
        try:
            result = function()
            failed = False
        except StopIteration:
            failed = False
            raise
        finally:
            busy = time.perf_counter() - started - (self._waited - waited)
            self._cpu.stop(busy)
            self._busy += busy
            self._unsettled_busy += busy
            calls.current.reset(token)
            if failed:
                self._deliver(errors=self._unsettled)
        return result

    def output(self, items: Iterator[Any]) -> Iterator[Any]:
        """Yield the items of the output, counted; deliver the account at the end, or when the consumer stops."""
        self._work.connection.note_stream(self)
        try:
            while True:
                try:
                    item = self.run(lambda: next(items))
                except StopIteration:
                    break
                form = self._work.form_of(item)
                self._out += self._work.count(item, form)
                self._look_at(item, form)
                self._settle()
                if self._spec.text is not None:
                    self._work.account.output_bytes += forms.text_bytes(item, self._spec.text)
                if time.monotonic() - self._reported >= _PROGRESS_SECONDS:
                    self._deliver(final=False)
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
            if not self._ended:  # at its end, or closed by the consumer; what raised has been counted
                self._deliver()

    def finish_with(self, result: Any) -> Any:
        """Return what a function made of all its input at once: one record, or as many as its form has."""
        if result is None:  # as of a batch: nothing is rejected unless the step is there to reject
            self._out = 0 if self._spec.reason is not None or self._work.call.reasons else self._in
        else:
            form = self._work.form_of(result)
            self._out = self._work.count(result, form)
            self._look_at(result, form)
        return self._deliver(result=result)

    def deliver_unfinished(self) -> None:
        """Deliver what has passed so far, where neither the end was reached nor the consumer has stopped."""
        if not self._ended:
            self._deliver()

    def _look_at(self, item: Any, form: Form | None) -> None:
        """Enter what the step gives in the survey."""
        if self._work.call.survey is not None:
            self._work.call.survey.pass_on(item, form)

    def _settle(self) -> None:
        """Enter the latency of the records that were read since the last output."""
        if self._unsettled and self._unsettled_busy >= 0:
            self._work.account.add_latency(self._unsettled_busy / self._unsettled, self._unsettled)
            self._unsettled, self._unsettled_busy = 0, 0.0

    def _deliver(self, *, errors: int = 0, final: bool = True, result: Any = NO_RESULT) -> Any:
        work, call = self._work, self._work.call
        self._settle()
        account = work.account.named_alike()
        account.include(work.account)
        account.final, account.at = final, time.time()
        account.add_flow(self._in, self._out, errors=errors, reasons=call.reasons, reason=self._spec.reason)
        account.calls, account.seconds = max(1, self._calls), self._busy
        account.cpu_seconds = self._cpu.of(self._busy)
        account.custom = dict(call.custom)
        if call.survey is not None:
            call.survey.fail_last(errors)
        call.summarise(account, self._spec.stage, self._spec.name, account.rejected_records)
        account.content = work.content()
        account.set_aside = work.account.set_aside + call.samples if final else []
        self._ended = final
        self._reported = time.monotonic()
        return work.connection.deliver(work.engine, account, result)


def observed_items(work: Work, spec: StepSpec, items: Iterator[Any]) -> Iterator[Any]:
    """Return the items of an iterable, each counted as it comes in and passed on; the time is that of making them."""
    stream = _Source(work, spec)
    return stream.output(items)


class _Source(Stream):
    """A stream whose output is its input: nothing came before it."""

    def _look_at(self, item: Any, form: Form | None) -> None:
        if self._work.call.survey is not None:
            self._work.call.survey.offer(item, form)
            self._work.call.survey.keep()

    def _settle(self) -> None:
        made = self._out - self._in
        self._in = self._out
        self._unsettled += made
        self._calls += made > 0
        super()._settle()
