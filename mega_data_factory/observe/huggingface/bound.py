"""Steps bound to a piece of work, as `datasets` calls them: with a record, or with a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import Any

from mega_data_factory.observe.huggingface.calling import AsyncBatchStep, BatchStep, record_step
from mega_data_factory.observe.huggingface.pieces import Piece, PieceRef
from mega_data_factory.observe.steps.step import AsyncStep, Step

STEP = "__mdf_step__"
"""Attribute of a function that stands for a step."""


@dataclass(frozen=True)
class Use:
    """A use of a step by `map` or `filter`.

    Attributes:
        step: the step.
        batched: whether it is called with batches.
        filters: whether it decides which records stay.
        mask: `filter` of a dataset wraps the function: that wrapper; None for `map` and for streams.
    """

    step: Step
    batched: bool
    filters: bool
    mask: partial[Any] | None = None

    def refuse_what_cannot_be(self) -> None:
        """Refuse to skip records where `datasets` takes exactly one record for one.

        Raises:
            ValueError: `on_error="skip"` with `map` of single records.
        """
        if self.step.spec.on_error == "skip" and not self.batched and not self.filters:
            raise ValueError(
                f"step {self.step.spec.name}: on_error='skip' leaves records out, and map() keeps every record unless "
                "it is given batches; use map(..., batched=True)"
            )

    def bound_to(self, piece: Piece) -> Any:
        """Return the function that `datasets` calls in place of the step."""
        spec = self.step.spec
        spec = replace(
            spec, run=PieceRef(spec.run, piece), batched=self.batched, filters=self.filters, flat=spec.flat or False
        )
        function = _on_arrow(self.step.function, self.batched)
        if isinstance(self.step, AsyncStep):
            awaited = AsyncBatchStep(spec, function)

            async def call(
                *args: Any, **kwargs: Any
            ) -> Any:  # Python 3.11 knows coroutine functions only as `async def`
                return await awaited(*args, **kwargs)

            return call if self.mask is None else _async_mask(self.mask, call)
        bound = BatchStep(spec, function) if self.batched else record_step(spec, function, piece)
        return bound if self.mask is None else partial(self.mask.func, bound, *self.mask.args[1:], **self.mask.keywords)


def use_of(function: Any, *, batched: bool, filters: bool = False) -> Use | None:
    """Return the use of a step that the function of a `map` or `filter` is; None if it is no step.

    Args:
        function: as given to `map` or `filter` of a dataset or stream, or as `filter` gives it to `map`.
        batched: as given to it.
        filters: whether it was given to `filter`.
    """
    if isinstance(function, partial) and function.func.__module__ == "datasets.arrow_dataset" and function.args:
        if "get_indices_from_mask_function" not in function.func.__name__:
            return None
        use = use_of(function.args[0], batched=bool(function.args[1]), filters=True)
        return None if use is None else replace(use, mask=function)
    if isinstance(function, Step):
        return None if isinstance(function.spec.run, PieceRef) else Use(function, batched, filters)
    names = getattr(function, "__dict__", {})
    inner = names.get(STEP) or names.get("_step")  # a stand-in, or an object of an observed class
    return Use(inner, batched, filters) if isinstance(inner, Step) else None


def stand_in_for(function: Any) -> Any:
    """Return a plain function in place of a step whose function is one; anything else as it is.

    The type of what `map` and `filter` are given is part of the fingerprint of the result.
    """
    if not isinstance(function, Step) or not isinstance(function.function, FunctionType):
        return function
    step = function

    def call(*args: Any, **kwargs: Any) -> Any:
        return step(*args, **kwargs)

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await step(*args, **kwargs)

    made = call_async if isinstance(step, AsyncStep) else call
    made.__dict__[STEP] = step
    return made


def _on_arrow(function: Callable[..., Any], batched: bool) -> Callable[..., Any]:
    """Return one of our operators so that it takes what `datasets` gives it; any other function as it is."""
    if type(function).__name__ != "OperatorFunction":
        return function

    def operator(value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            return function(value, *args, **kwargs)
        if not batched:
            return function(dict(value), *args, **kwargs)
        import pyarrow as pa

        lazy: Any = value
        return function(lazy.pa_table if type(value).__name__ == "LazyBatch" else pa.table(dict(value)))

    return operator


def _async_mask(mask: partial[Any], function: Callable[..., Any]) -> partial[Any]:
    from datasets.arrow_dataset import async_get_indices_from_mask_function

    return partial(async_get_indices_from_mask_function, function, *mask.args[1:], **mask.keywords)
