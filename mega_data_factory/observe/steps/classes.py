"""Steps of classes: built by the engine, or once per worker process."""

from __future__ import annotations

import copyreg
import functools
import inspect
import os
import threading
from collections.abc import Mapping
from types import MethodType
from typing import Any

from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.observe.steps.step import AsyncStep, Step


class ObservedClass(type):
    """Metaclass of observed classes, by which pickle knows how to make them again."""

    spec: StepSpec
    wrapped: type


class _CallForTask:
    """`__call__` of an observed class: it belongs to the task of the thread that looks it up."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return _call
        engine, _ = instance._step.spec.run.connect().current()
        carry = engine.carrier()
        return MethodType(_call, instance) if carry is None else functools.partial(carry, _call, instance)


def _call(observed: _Observed, *args: Any, **kwargs: Any) -> Any:
    """Call the object as a step."""
    return observed._step(*args, **kwargs)


class _Observed:
    """Base of observed classes: builds an object of the user's class, and calls it as a step."""

    spec: StepSpec
    wrapped: type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._step = Step(self.spec, self.wrapped(*args, **kwargs))

    __call__: Any = _CallForTask()

    def __getattr__(self, name: str) -> Any:
        if name == "_step":  # not built yet
            raise AttributeError(name)
        return getattr(self._step.function, name)


class _ObservedAsync(_Observed):
    """Base of observed classes with a coroutine function as `__call__`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._step = AsyncStep(self.spec, self.wrapped(*args, **kwargs))

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return await self._step(*args, **kwargs)


def observed_class(spec: StepSpec, wrapped: type) -> type:
    """Return a class whose objects are called like those of `wrapped`, observed.

    Args:
        spec: of the step.
        wrapped: the user's class, with `__call__`.

    Raises:
        TypeError: its objects cannot be called.
    """
    call = next((vars(base)["__call__"] for base in wrapped.__mro__ if "__call__" in vars(base)), None)
    if call is None:
        raise TypeError(f"{wrapped.__qualname__} has no __call__: a step must be called with records")
    base = _ObservedAsync if inspect.iscoroutinefunction(call) else _Observed
    made = ObservedClass(wrapped.__name__, (base,), {"spec": spec, "wrapped": wrapped, "__doc__": wrapped.__doc__})
    made.__module__, made.__qualname__ = wrapped.__module__, wrapped.__qualname__
    made.__wrapped__ = wrapped  # type: ignore[attr-defined]
    try:
        made.__signature__ = inspect.signature(wrapped)  # type: ignore[attr-defined]
    except ValueError:  # a class of an extension may have none
        return made
    return made


def _reduced(made: ObservedClass) -> tuple[Any, ...]:
    return observed_class, (made.spec, made.wrapped)


copyreg.pickle(ObservedClass, _reduced)


class BuiltOnce:
    """A class with the arguments of its constructor, built at the first call in each process.

    Args:
        wrapped: the user's class, with `__call__`.
        args, kwargs: of its constructor.
    """

    def __init__(self, wrapped: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._wrapped = wrapped
        self._args = args
        self._kwargs = kwargs
        self._lock = threading.Lock()
        self._built: tuple[int, Any] | None = None
        functools.update_wrapper(self, wrapped, updated=())

    def __reduce__(self) -> tuple[Any, ...]:
        return BuiltOnce, (self._wrapped, self._args, dict(self._kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object of this process."""
        with self._lock:
            if self._built is None or self._built[0] != os.getpid():
                self._built = os.getpid(), self._wrapped(*self._args, **self._kwargs)
        return self._built[1](*args, **kwargs)
