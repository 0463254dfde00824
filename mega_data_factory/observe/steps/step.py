"""A step: the user's function, observed. It counts what goes in and what comes out, and changes nothing."""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mega_data_factory.observe.connection import Addresses, Connection, connect
from mega_data_factory.observe.counting import calls, forms
from mega_data_factory.observe.counting.calls import Call
from mega_data_factory.observe.counting.rows import RowTally, is_row
from mega_data_factory.observe.counting.signatures import Content
from mega_data_factory.observe.steps.outcome import Outcome, outcome_of
from mega_data_factory.observe.steps.streams import Stream, is_stream, observed_items


class RunRef:
    """What a step knows of its run: enough to deliver accounts from any process.

    Args:
        run_id: the run.
        addresses: of the engines; on the driver a function that gives them as they are now.
    """

    def __init__(self, run_id: str, addresses: Addresses | Callable[[], Addresses]) -> None:
        self.run_id = run_id
        self._addresses = addresses
        self._connected: tuple[int, Connection] | None = None

    def connect(self) -> Connection:
        """Return the connection of this process to the run."""
        pid = os.getpid()
        if self._connected is None or self._connected[0] != pid:
            self._connected = pid, connect(self.run_id, self.addresses)
        return self._connected[1]

    def forget(self) -> None:
        """Connect again at the next call: this process has become the driver."""
        self._connected = None

    def addresses(self) -> Addresses:
        """Return the addresses of the engines."""
        return self._addresses() if callable(self._addresses) else self._addresses

    def __reduce__(self) -> tuple[Any, ...]:
        return RunRef, (self.run_id, dict(self.addresses()))


@dataclass(frozen=True)
class StepSpec:
    """Everything of a step but its function.

    Attributes:
        run: the run.
        id: of the step, distinct within the run.
        name: operator name in the metrics, distinct within the stage.
        stage: stage name in the metrics.
        reason: reason of records that are missing in the output and were not rejected by name; None for no reason.
        text: column whose UTF-8 bytes are counted on the way in and out; None for none.
        on_error: `raise`, or `skip` to set the records aside that raise.
        filters: True: what the function returns is a decision, one for each record. False: it is never one. None: it
            is one where it is a truth value, or a mask of truth values with an entry for each record.
        flat: True: a list returned for one record is many records. False: it is one. None: it is many where its items
            are of the type of the record.
        batched: True: a mapping is a batch of columns. False: it is a record. None: it is a batch where all its values
            are arrays of one length, or lists of one length and at least two.
        count: counts the records of a value that is of no known form; None for one record.
        samples: rejected records to keep as examples, of every reason; 0 keeps none.
    """

    run: RunRef
    id: str
    name: str
    stage: str
    reason: str | None = None
    text: str | None = None
    on_error: str = "raise"
    filters: bool | None = None
    flat: bool | None = None
    batched: bool | None = None
    count: Callable[[Any], int] | None = None
    samples: int = 0

    @property
    def is_simple(self) -> bool:
        """Whether a call on one record can be counted by numbers alone."""
        return self.on_error == "raise" and self.text is None and self.filters is not False and self.batched is not True

    def identity(self) -> tuple[Any, ...]:
        """Return what the result of the step depends on beside its function: without the run, and without names.

        A cache keyed by the pickled function (Hugging Face datasets) must not depend on the run.
        """
        return self.on_error, self.filters, self.flat, self.batched


class _FunctionSignature:
    """Signature of the function of a step: `inspect` would take an object with `__get__` for a built-in."""

    def __get__(self, step: Step | None, owner: type) -> inspect.Signature | None:
        if step is None:
            return None
        import inspect

        try:
            return inspect.signature(step.function)
        except (TypeError, ValueError) as error:  # a built-in function
            raise AttributeError(str(error)) from None


class Step:
    """A function, observed; called like the function.

    Attributes:
        spec: what is counted, and how.
        function: the user's function.
    """

    __signature__ = _FunctionSignature()

    def __init__(self, spec: StepSpec, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        if not hasattr(self, "__name__"):
            self.__name__ = spec.name
        object.__setattr__(self, "__class__", _named(type(self), self.__name__))  # Ray Data shows an object's class
        self.spec = spec
        self.function = function
        self._like_before: Any = None  # of the last call, to know what is returned for no record
        self._tally: Callable[[StepSpec], RowTally | None] | None = None  # of an engine that calls per record

    def __repr__(self) -> str:
        return f"<step {self.spec.stage}/{self.spec.name} of {self.spec.run.run_id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (_kind(type(self)), self.spec, *_reference(self))

    def __get__(self, instance: object, owner: type | None = None) -> Step:
        """Bind the step to an object, as a function in a class is bound."""
        if instance is None:
            return self
        return _kind(type(self))(self.spec, self.function.__get__(instance, owner))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, count, deliver the account, and return what the function returned."""
        if self._tally is not None and len(args) == 1 and not kwargs and is_row(args[0]):
            tally = self._tally(self.spec)
            if tally is not None:
                return tally.call(self, args[0])
        work = self._begin(args, kwargs)
        if is_stream(work.value):
            return self._over_stream(work, args, kwargs)
        try:
            result = work.run(self.function, args, kwargs)
        except Exception as error:
            if isinstance(error, TypeError) and not _takes(self.function, args, kwargs):
                raise  # polars asks whether a function takes an argument by calling it: that was no call
            if self.spec.on_error != "skip":
                work.fail()
                raise
            from mega_data_factory.observe.steps.skipping import skip_failed

            return self._finish(work, skip_failed(work, self.function, args, kwargs, error, self._like_before))
        if is_stream(result):
            return self._drained(work, result)
        return self._finish(work, work.outcome(result))

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work:
        value = args[0] if args else next(iter(kwargs.values()), None)
        work = Work(self.spec, value)
        if self._tally is None and work.engine.calls_per_record and self.spec.is_simple:
            self._tally = work.engine.tally
        return work

    def finish_called(self, record: Any, call: Call, seconds: float, result: Any) -> Any:
        """Count a call on one record that has returned, and return its result.

        Args:
            record: what the function was given.
            call: what it has said.
            seconds: how long it took.
            result: what it returned.
        """
        work = self._begin((record,), {})
        said, work.call, work.seconds = call, work.new_call(), seconds
        work.call.include(said)
        return self._drained(work, result) if is_stream(result) else self._finish(work, work.outcome(result))

    def finish_failed(self, record: Any, seconds: float) -> None:
        """Count a call on one record that has raised.

        Args:
            record: what the function was given.
            seconds: how long it took.
        """
        work = self._begin((record,), {})
        work.seconds = seconds
        work.fail()

    def _finish(self, work: Work, outcome: Outcome) -> Any:
        if self.spec.on_error == "skip":
            self._like_before = outcome.exemplar()
        return work.finish(outcome)

    def _over_stream(self, work: Work, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a function that takes an iterator: its input is counted as it is read."""
        stream = Stream(work, self.spec)
        source = stream.source(work.value)
        args, kwargs = ((source, *args[1:]), kwargs) if args else (args, {**kwargs, next(iter(kwargs)): source})
        result = stream.run(lambda: self.function(*args, **kwargs))
        if not is_stream(result) and not hasattr(result, "__iter__"):
            return stream.finish_with(result)
        return stream.output(iter(result))

    def _drained(self, work: Work, result: Iterator[Any]) -> Iterator[Any]:
        """Count what a generator yields for one batch or record."""
        return Stream(work, self.spec, records_in=work.records_in).output(result)


class Work:
    """One call of a step while it runs.

    Args:
        spec: of the step.
        value: the batch, record or iterator that the step was given.

    Attributes:
        records_in: records in the value; 0 for an iterator.
        call: what the user's function says.
        account: of the call.
        given: signature of what the step was given, where the engine wants it.
    """

    __slots__ = ("account", "call", "connection", "engine", "form", "given", "records_in", "seconds", "spec", "value")

    given: Content | None

    def __init__(self, spec: StepSpec, value: Any) -> None:
        self.spec = spec
        self.value = value
        self.connection = spec.run.connect()
        self.engine, task = self.connection.current()
        self.account = self.connection.account(spec.id, self.engine, task, value)
        self.call = Call(self.connection, spec.id, spec.samples)
        self.seconds = 0.0
        self.given = None
        self.form: forms.Form | None = None
        self.records_in = 0
        if is_stream(value):
            return
        self.form = form = self.form_of(value)
        self.records_in = form.count(value) if form is not None else self.count(value, None)
        if self.records_in:
            self.note_content(value)
            if spec.text is not None:
                self.account.input_bytes = forms.text_bytes(value, spec.text)

    def new_call(self) -> Call:
        """Return an empty call, which keeps examples of rejected records as the step wants them."""
        return Call(self.connection, self.spec.id, self.spec.samples)

    def form_of(self, value: Any) -> forms.Form | None:
        """Return the form of a value, as the step understands mappings."""
        if self.spec.batched is not None and isinstance(value, Mapping):
            return forms.COLUMNS if self.spec.batched else None
        return forms.form_of(value)

    def count(self, value: Any, form: forms.Form | None) -> int:
        """Return the number of records in a value of a form."""
        if form is not None:
            return form.count(value)
        known = self.engine.records(value)
        if known is not None:
            return known
        if self.spec.count is not None:
            return self.spec.count(value)
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
        """Return the signature of what the step was given; empty where the engine does not want it."""
        return [] if self.given is None else self.given.to_list()

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the function within this call, and time it."""
        token = calls.current.set(self.call)
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
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
        part = copy.copy(self)
        part.value, part.records_in, part.call, part.seconds = value, records, self.new_call(), 0.0
        return part

    def outcome(self, result: Any) -> Outcome:
        """Return what became of the records, by what the function returned."""
        return outcome_of(self, result)

    def finish(self, outcome: Outcome) -> Any:
        """Count, deliver, and return the result as the engine wants it."""
        account, call = self.account, self.call
        account.add_call(
            self.seconds,
            self.records_in,
            outcome.records_out,
            errors=outcome.errors,
            reasons=call.reasons,
            reason=self.spec.reason,
        )
        account.output_bytes = outcome.text_bytes
        if self.given is not None:
            account.content = self.given.to_list()
        account.custom = call.custom
        if call.samples:
            account.set_aside += call.samples
        return self.connection.deliver(self.engine, account, outcome.result)

    def fail(self) -> None:
        """Count all records as errors: the function has raised, and the engine is about to see it."""
        self.account.add_call(self.seconds, self.records_in, 0, errors=self.records_in)
        self.account.content = self.content()
        self.connection.deliver(self.engine, self.account)


class AsyncStep(Step):
    """A coroutine function, observed; its seconds are those from call to result."""

    def __init__(self, spec: StepSpec, function: Callable[..., Any]) -> None:
        super().__init__(spec, function)
        if hasattr(inspect, "markcoroutinefunction"):  # Python 3.12
            inspect.markcoroutinefunction(self)
        else:
            from asyncio import coroutines

            self._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Await the function, count, deliver, and return what it returned."""
        work = self._begin(args, kwargs)
        token = calls.current.set(work.call)
        try:
            result = await work.timed(self.function(*args, **kwargs))
        except Exception as error:
            if isinstance(error, TypeError) and not _takes(self.function, args, kwargs):
                raise  # polars asks whether a function takes an argument by calling it: that was no call
            if self.spec.on_error != "skip":
                work.fail()
                raise
            from mega_data_factory.observe.steps.skipping import skip_failed_async

            outcome = await skip_failed_async(work, self.function, args, kwargs, error, self._like_before)
            return self._finish(work, outcome)
        finally:
            calls.current.reset(token)
        return self._finish(work, work.outcome(result))


class ObservedIterable:
    """An iterable, observed: every item that it gives is a record, or a batch of records, that the step passed on.

    Args:
        spec: of the step.
        items: the iterable.
    """

    def __init__(self, spec: StepSpec, items: Any) -> None:
        self.spec = spec
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        items = iter(self.items)
        return observed_items(Work(self.spec, items), self.spec, items)

    def __len__(self) -> int:
        return len(self.items)


def _takes(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a function can be called with these arguments at all."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # a function of an extension may have no signature
        return True
    return True


_named_kinds: dict[tuple[type[Step], str], type[Step]] = {}


def _named(kind: type[Step], name: str) -> type[Step]:
    """Return a subclass of a kind of step by another name."""
    named = _named_kinds.get((kind, name))
    if named is None:
        members = {"__module__": kind.__module__, "__doc__": kind.__doc__, "_named": True}
        named = _named_kinds[kind, name] = type(name, (kind,), members)
    return named


def _kind(made: type[Step]) -> type[Step]:
    """Return the kind of step that a class is, without the name of its function."""
    return made.__mro__[1] if "_named" in vars(made) else made


def _reference(step: Step) -> tuple[Any, ...]:
    """Return the function of a step, or where to find it: a decorated function's name leads to the step itself."""
    function = step.function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module and "<locals>" not in name:
        try:
            found = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        except (ImportError, AttributeError):
            return (function,)
        if isinstance(found, Step) and found.function is function:
            return None, module, name
    return (function,)


def _restored(kind: type[Step], spec: StepSpec, function: Any, module: str = "", name: str = "") -> Step:
    if function is None:
        found = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        function = found.function if isinstance(found, Step) else found
    return kind(spec, function)
