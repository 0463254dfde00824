"""Definition of a step: which kind of step a function, class, iterable, operator or name becomes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mega_data_factory.observe.steps.blocks import Block
from mega_data_factory.observe.steps.classes import BuiltOnce, observed_class
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.observe.steps.step import AsyncStep, ObservedIterable, Step


def make_step(spec: StepSpec, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Any:
    """Return the step for what the user gave as function.

    Args:
        spec: of the step.
        function: a name, a class, an operator, a callable or an iterable.
        args, kwargs: of the constructor, where it is a class.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(function, str):
        return Block(spec)
    if isinstance(function, type):
        return (
            observed_class(spec, function)
            if not args and kwargs is None
            else _step(spec, BuiltOnce(function, tuple(args), dict(kwargs or {})))
        )
    if args or kwargs is not None:
        raise TypeError(f"args and kwargs are for the constructor of a class, not for {function!r}")
    if _is_operator(function):
        from mega_data_factory.observe.steps.judging import OperatorFunction

        return Step(spec, OperatorFunction(function, spec.name, spec.stage))
    if is_pipeline_step(function):
        from mega_data_factory.observe.datatrove.steps import observed_step

        return observed_step(spec, function)
    if callable(function):
        return _step(spec, function)
    if hasattr(function, "__iter__"):
        return ObservedIterable(spec, function)
    raise TypeError(
        f"a step is a function, a class, an object with __call__, an iterable or an operator, not {function!r}"
    )


def _step(spec: StepSpec, function: Callable[..., Any]) -> Step:
    awaits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    return (AsyncStep if awaits else Step)(spec, function)


def name_of(function: Any) -> str:
    """Return the name that a step has by default."""
    if isinstance(function, str):
        return function
    inner = function
    while hasattr(inner, "func"):  # functools.partial
        inner = inner.func
    name = getattr(inner, "__name__", None) or type(inner).__name__
    return "lambda" if name == "<lambda>" else str(name)


def arguments_of(function: Any) -> dict[str, Any]:
    """Return what else the configuration shows of a step: the arguments of a step of a pipeline of datatrove."""
    if not is_pipeline_step(function):
        return {}
    from mega_data_factory.observe.datatrove.steps import settings_of

    return {"kwargs": settings} if (settings := settings_of(function)) else {}


def _is_operator(function: Any) -> bool:
    contracts = sys.modules.get("mega_data_factory.framework.contracts")
    return contracts is not None and isinstance(function, contracts.Operator)


def is_pipeline_step(function: Any) -> bool:
    """Return whether a function is a step of a pipeline of datatrove."""
    if "datatrove" not in sys.modules:
        return False
    from mega_data_factory.observe.datatrove import steps

    return steps.is_pipeline_step(function)


class Decorating:
    """`run.step` without a function: decorates one.

    Args:
        step: makes the step.
        options: of it.
    """

    def __init__(self, step: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self._step = step
        self._options = options

    def __call__(self, function: Any) -> Any:
        """Return the function observed."""
        return self._step(function, **self._options)
