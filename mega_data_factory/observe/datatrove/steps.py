"""Steps of datatrove, observed: the same objects to datatrove, whose `run` is measured."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.forms.record_text import record_text
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.datatrove.meters import Chain, Meter, Traits
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")

FOLDER = "mdf_accounts"
"""Folder below the logging folder of an executor: the accounts of every task that was completed."""

_meters: WeakKeyDictionary[Any, Meter] = WeakKeyDictionary()
"""Generator of a step → its meter."""


class MeasuredRun:
    """`run` of a step, measured.

    Args:
        spec: of the step.
        step: the step; or the function, or the documents, that a pipeline has in place of one.
        original: calls the step with its input, rank and number of tasks.

    Attributes:
        accounts: where the last step of a pipeline writes the accounts of a completed task; None for the others.
    """

    def __init__(self, spec: StepSpec, step: Any, original: Callable[..., Any]) -> None:
        self.spec = spec
        self.accounts: Any = None
        self._step = step
        self._original = original

    def __repr__(self) -> str:
        return f"<observed as {self.spec.stage}/{self.spec.name}>"

    def __call__(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
        """Run the step on one task, measured."""
        chain, upstream, data = _joined(data, rank, world_size)
        meter = Meter(chain, upstream, self.spec, traits_of(self._step))
        if self.accounts is not None:
            chain.at_end = self._write
            self._rank = rank
        if hasattr(self._step, "filter_batch"):
            self._step.filter_batch = _Sampled(type(self._step).filter_batch, self._step, self.spec, meter)
        started = time.perf_counter()
        try:
            result = self._original(self._step, data, rank, world_size)
        except BaseException:
            meter.failed = True
            meter.elapsed += time.perf_counter() - started
            chain.ended(meter, complete=False)
            raise
        meter.elapsed += time.perf_counter() - started
        if not isinstance(result, Iterable):
            chain.ended(meter, complete=True)
            return result
        output = meter.measured(iter(result))
        _meters[output] = meter
        return output

    def _write(self, accounts: list[Account]) -> None:
        """Write the accounts of a completed task; datatrove marks it as completed after this."""
        content = {"run": self.spec.run.run_id, "accounts": [wire.to_text(a) for a in accounts]}
        name = f"{FOLDER}/{self._rank:05d}.json"
        try:
            with self.accounts.open(name, "w") as file:
                file.write(json.dumps(content))
        except OSError as error:
            _log.warning("a later launch will not know what task %d has done: %s: %s", self._rank, name, error)


class FunctionStep:
    """A function, or given documents, in a pipeline, observed.

    Args:
        given: the function or the documents.
    """

    def __init__(self, given: Any) -> None:
        self.given = given
        self.run: Any = None
        self.__name__ = self.__qualname__ = getattr(given, "__name__", "documents")
        self.__module__ = getattr(given, "__module__", "builtins")

    def __repr__(self) -> str:
        return repr(self.given)

    def __call__(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
        """Run the function."""
        return self.run(data, rank, world_size)


def is_pipeline_step(value: object) -> bool:
    """Return whether a value is a step of a pipeline."""
    from datatrove.pipeline.base import PipelineStep

    return isinstance(value, PipelineStep | FunctionStep)


def observed_step(spec: StepSpec, step: Any) -> Any:
    """Return a copy of a step that is measured; to datatrove it is what it was.

    Args:
        spec: of the step.
        step: the step.
    """
    observed = copy.copy(step) if isinstance(step, FunctionStep) else copy.deepcopy(step)
    observed.run = MeasuredRun(spec, observed, _given if isinstance(step, FunctionStep) else type(step).run)
    return observed


def _given(step: FunctionStep, data: Any, rank: int, world_size: int) -> Any:
    return step.given(data, rank, world_size) if callable(step.given) else step.given


def settings_of(step: Any) -> dict[str, Any]:
    """Return the arguments of a step that are plain values, for the configuration in the run row."""
    hidden = {"stats", "run", "name", "type"}
    plain = {k: v for k, v in vars(step).items() if k not in hidden and not k.startswith("_")}
    return {
        k: v for k, v in plain.items() if isinstance(v, str | int | float | bool) and not isinstance(step, FunctionStep)
    }


def traits_of(step: Any) -> Traits:
    """Return what is known of a step, by the classes and statistics of datatrove."""
    stats = getattr(step, "stats", None)

    def totals() -> Mapping[str, int]:
        return {} if stats is None else {name: int(s.total) for name, s in stats.stats.items()}

    extracts = hasattr(step, "extract")
    return Traits(
        reads=hasattr(step, "read_file") or "READER" in str(getattr(step, "type", "")),
        filters=extracts or hasattr(step, "filter"),
        errors=("timeout", "broken_process", "clean_error") if extracts else (),
        totals=totals,
    )


def _joined(data: Any, rank: int, world_size: int) -> tuple[Chain, Meter | None, Any]:
    """Return the chain of a task, the meter of the step before, and the documents that it yields."""
    upstream = None if data is None else _known(data)
    if upstream is not None:
        return upstream.chain, upstream, data
    chain = Chain(rank, world_size)
    if data is None:
        return chain, None, None
    upstream = Meter(chain, None, None, Traits())
    return chain, upstream, upstream.measured(iter(data))


def _known(data: Any) -> Meter | None:
    try:
        return _meters.get(data)
    except TypeError:  # a list of documents
        return None


class _Sampled:
    """`filter_batch` of a filter, which keeps a few of the documents that are dropped as examples.

    Args:
        original: the method.
        step: the filter.
        spec: of the step.
        meter: of the filter; gets them.
    """

    def __init__(self, original: Callable[..., Any], step: Any, spec: StepSpec, meter: Meter) -> None:
        self._original = original
        self._step = step
        self._spec = spec
        self._meter = meter
        _, self._task = spec.run.connect().current()
        self._one_by_one = original.__qualname__ == "BaseFilter.filter_batch"  # it calls `filter` for each document

    def __call__(self, batch: list[Any]) -> Iterable[Any]:
        if self._one_by_one and len(batch) == 1:
            decision = self._step.filter(batch[0])
            if decision is not True:
                self._look_at(batch[0], decision)
            return [decision]
        decisions = self._original(self._step, batch)
        if not isinstance(decisions, list):
            decisions = list(decisions)
        for document, decision in zip(batch, decisions, strict=False):
            if decision is not True:
                self._look_at(document, decision)
        return decisions

    def _look_at(self, document: Any, decision: Any) -> None:
        keeps, reason = decision if isinstance(decision, tuple) else (decision, self._spec.reason)
        if not keeps and reason is not None and self._meter.survey is not None:
            self._meter.survey.reject(document, None, reason, None, None)
        if keeps or reason is None:
            return
        samplers = self._spec.run.connect().samplers  # of this process: a copy of the step must not hold them
        for _, rank in samplers.choose(self._spec.id, reason, self._spec.samples, 1, self._task):
            content = record_text({"text": document.text, "metadata": document.metadata})
            self._meter.samples.append(SetAside(reason, content, "rejected", str(document.id), rank=rank))
