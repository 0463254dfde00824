"""Pipelines and executors of datatrove, observed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mega_data_factory.observe.datatrove.launches import count_completed
from mega_data_factory.observe.datatrove.steps import FunctionStep, is_pipeline_step


def observed_pipeline(define: Callable[..., Any], given: Any, stage: str) -> Any:
    """Return a pipeline, or an executor with its pipeline, observed.

    Args:
        define: `run.step`.
        given: a list of steps, functions and documents; or an executor, which is changed.
        stage: of the steps.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [_observed(define, step, stage) for step in given]
    if not hasattr(given, "pipeline") or not hasattr(given, "logging_dir"):
        raise TypeError(f"run.pipeline takes an executor of datatrove, or a list of steps, not {given!r}")
    given.pipeline = [_observed(define, step, stage) for step in given.pipeline]
    if given.pipeline:
        given.pipeline[-1].run.accounts = given.logging_dir
        count_completed(given, [step.run.spec for step in given.pipeline], stage)
    return given


def _observed(define: Callable[..., Any], step: Any, stage: str) -> Any:
    step = step if is_pipeline_step(step) else FunctionStep(step)
    name = step.__name__ if isinstance(step, FunctionStep) else type(step).__name__
    return define(step, name=name, stage=stage)
