"""Work of a step: one call while it runs, from its input to the account that is delivered."""

from __future__ import annotations

import copy
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.calls import Call
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.counting.forms.form import Form
from mega_data_factory.observe.counting.forms.signatures import Content
from mega_data_factory.observe.counting.single_call import SingleCall
from mega_data_factory.observe.steps.outcome import Outcome, outcome_of
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.observe.steps.streams import is_stream


class Work:
    """One call of a step while it runs.

    Args:
        spec: of the step.
        value: the batch, record or iterator that the step was given.

    Attributes:
        records_in: records in the value; 0 for an iterator.
        task: that it belongs to.
        call: what the user's function says.
        given: signature of what the step was given, where the engine wants it.
        streams: whether the value is an iterator.
    """

    __slots__ = (
        "_account",
        "call",
        "connection",
        "cpu_seconds",
        "engine",
        "form",
        "given",
        "records_in",
        "seconds",
        "spec",
        "streams",
        "task",
        "value",
    )

    given: Content | None
    _account: Account | None

    def __init__(self, spec: StepSpec, value: Any) -> None:
        self.spec = spec
        self.value = value
        self.connection = spec.run.connect()
        self.engine, self.task = self.connection.current()
        self._account = None if self.engine.adds else self.connection.account(spec.id, self.engine, self.task, value)
        survey = None if spec.watch is None else spec.survey()
        self.call = Call(self.connection.samplers, spec.id, spec.samples, survey, self.task)
        self.seconds = self.cpu_seconds = 0.0
        self.given = None
        self.form: Form | None = None
        self.records_in = 0
        self.streams = is_stream(value)
        if self.streams:
            return
        self.form = form = self.form_of(value)
        self.records_in = form.count(value) if form is not None else self.count(value, None)
        if self.records_in:
            if self.engine.signs:
                self.note_content(value)
            if spec.text is not None:
                self.account.input_bytes = forms.text_bytes(value, spec.text)
            if self.call.survey is not None:
                self.call.survey.offer(value, form)

    @property
    def account(self) -> Account:
        """The account of the call; one that adds to others is made once a `SingleCall` cannot say it all."""
        if self._account is None:
            self._account = self.connection.account(self.spec.id, self.engine, self.task, self.value)
        return self._account

    def new_call(self) -> Call:
        """Return an empty call, which keeps examples of rejected records as the step wants them."""
        spec = self.spec
        survey = None if spec.watch is None else spec.survey()
        return Call(self.connection.samplers, spec.id, spec.samples, survey, self.task)

    def form_of(self, value: Any) -> Form | None:
        """Return the form of a value, as the step understands mappings."""
        if self.spec.batched is not None and isinstance(value, Mapping):
            return forms.COLUMNS if self.spec.batched else None
        form = forms.form_of(value)
        if form is None and self.form is forms.COLUMNS and isinstance(value, Mapping) and forms.are_columns(value):
            return self.form  # one list: of a batch of columns one column was returned
        return form

    def count(self, value: Any, form: Form | None) -> int:
        """Return the number of records in a value of a form."""
        if form is not None:
            return form.count(value)
        known = self.engine.records(value)
        if known is not None:
            return known
        if self.spec.count is not None:
            return int(self.spec.count(value))
        if forms.is_lazy(value):
            self.account.unknown += 1
            return 0
        return 1

    def note_content(self, value: Any) -> None:
        """Enter a batch or record in the signature of what the step was given."""
        signature = self.engine.content(value)
        if signature is not None:
            if self.given is None:
                self.given = Content()
            self.given.add(signature)

    def content(self) -> list[int]:
        """Return the signature of what the step was given; empty if the engine does not want it."""
        return [] if self.given is None else self.given.to_list()

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the function within this call, and time it."""
        token = calls.current.set(self.call)
        started, started_cpu = time.perf_counter(), time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            self.cpu_seconds += time.thread_time() - started_cpu
            self.seconds += time.perf_counter() - started
            calls.current.reset(token)

    async def timed(self, awaitable: Awaitable[Any]) -> Any:
        """Await within this call, and time it."""
        started = time.perf_counter()
        try:
            return await awaitable
        finally:
            self.seconds += time.perf_counter() - started

    def part(self, value: Any, records: int) -> Work:
        """Return a call on some of the records, which shares the account."""
        assert self.account is not None, "it is made before the parts are, which share it"
        part = copy.copy(self)
        part.value, part.records_in, part.call = value, records, self.new_call()
        part.seconds = part.cpu_seconds = 0.0
        if part.call.survey is not None and records:
            part.call.survey.offer(value, self.form)
        return part

    def outcome(self, result: Any) -> Outcome:
        """Return what became of the records, by what the function returned."""
        return outcome_of(self, result)

    def whole(self, result: Any, records: int) -> Any:
        """Return what the function returned as the engine makes records of it.

        Args:
            result: what it returned.
            records: how many these are.
        """
        del records
        return result

    def finish(self, outcome: Outcome) -> Any:
        """Count, deliver, and return the result as the engine wants it."""
        call = self.call
        if self._account is None and not (outcome.errors or outcome.text_bytes or call.says_more_than_reasons):
            return self.connection.deliver_call(self._single_call(outcome), outcome.result)
        account = self.account
        account.add_call(
            self.seconds,
            self.records_in,
            outcome.records_out,
            errors=outcome.errors,
            reasons=call.reasons,
            reason=self.spec.reason,
        )
        account.cpu_seconds = self.cpu_seconds
        account.output_bytes = outcome.text_bytes
        if self.given is not None:
            account.content = self.given.to_list()
        account.custom = call.custom
        if call.has_summary:
            call.summarise(account, self.spec.stage, self.spec.name, account.rejected_records)
        if call.samples:
            account.set_aside += call.samples
        return self.connection.deliver(self.engine, account, outcome.result)

    def _single_call(self, outcome: Outcome) -> SingleCall:
        return SingleCall(
            self.spec.id,
            self.task.worker,
            self.engine.name,
            time.time(),
            self.seconds,
            self.cpu_seconds,
            self.records_in,
            outcome.records_out,
            self.call.reasons,
            self.spec.reason,
        )

    def fail(self) -> None:
        """Count all records as errors: the function has raised, and the engine is about to see it."""
        self.account.add_call(self.seconds, self.records_in, 0, errors=self.records_in)
        self.account.content = self.content()
        self.account.cpu_seconds = self.cpu_seconds
        if self.call.survey is not None:
            failed = self.new_call()
            assert failed.survey is not None
            self.call.survey.fail()
            failed.survey.include(self.call.survey)
            failed.summarise(self.account, self.spec.stage, self.spec.name)
        self.connection.deliver(self.engine, self.account)
