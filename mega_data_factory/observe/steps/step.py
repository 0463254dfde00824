"""A step: the user's function, observed. It counts what goes in and what comes out, and changes nothing."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.calls import Call
from mega_data_factory.observe.counting.rows import RowTally, is_row
from mega_data_factory.observe.steps.arguments import records_of, with_records
from mega_data_factory.observe.steps.outcome import Outcome
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.observe.steps.streams import Stream, is_stream, observed_items
from mega_data_factory.observe.steps.work import Work


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
        if work.streams:
            return self._over_stream(work, args, kwargs)
        try:
            result = work.run(self.function, args, kwargs)
        except Exception as error:
            if not self._skips(work, error, args, kwargs):
                raise
            from mega_data_factory.observe.steps.skipping import skip_failed

            return self._finish(work, skip_failed(work, self.function, args, kwargs, error, self._like_before))
        if is_stream(result):
            return self._drained(work, result) if args or kwargs else observed_items(work, self.spec, result)
        return self._finish(work, work.outcome(result))

    def _skips(self, work: Work, error: Exception, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Return whether the records that raise are to be found; otherwise count them all, for the engine sees it."""
        if isinstance(error, TypeError) and not _takes(self.function, args, kwargs):
            return False  # polars asks whether a function takes an argument by calling it: that was no call
        if self.spec.on_error == "skip":
            return True
        work.fail()
        return False

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work:
        work = Work(self.spec, records_of(args, kwargs))
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
        work.seconds = seconds
        work.call.include(call)
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
        args, kwargs = with_records(args, kwargs, stream.source(work.value))
        result = stream.run(lambda: self.function(*args, **kwargs))
        if not is_stream(result) and not hasattr(result, "__iter__"):
            return stream.finish_with(result)
        return stream.output(iter(result))

    def _drained(self, work: Work, result: Iterator[Any]) -> Iterator[Any]:
        """Count what a generator yields for one batch or record."""
        return Stream(work, self.spec, records_in=work.records_in).output(result)


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
            if not self._skips(work, error, args, kwargs):
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
