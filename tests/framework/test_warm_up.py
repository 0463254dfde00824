"""A first run on examples costs no record and ends no worker."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from mega_data_factory.framework.contracts import Filter, Judgement
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.applying import Step
from tests.framework.making import table


class Example(Filter):
    """Keeps everything, counts its calls, and does something in each."""

    def __init__(self, seconds: float = 0.0, error: BaseException | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.calls: list[int] = []

    def examples(self) -> pa.Table:
        return table(["a", "b"])

    def judge(self, records: pa.Table) -> Judgement:
        self.calls.append(records.num_rows)
        self.report("calls", 1)
        if self.error is not None:
            raise self.error
        time.sleep(self.seconds)
        return Judgement(pa.nulls(records.num_rows, pa.string()))


def step(operator: Example, record_timeout: float) -> Step:
    return Step(OperatorPlan("example", 0, Component("example", "x:Y", {}), record_timeout=record_timeout), operator)


def test_a_first_run_has_no_limit_of_time() -> None:
    """Examples that take longer than a record may do not end the process; calls of records begin small then."""
    slow = Example(seconds=0.1)
    first = step(slow, record_timeout=0.01)
    first.warm_up()
    assert slow.calls == [2, 64]
    assert slow.take_reported() == {}
    assert first.pace.size(1000) <= 16


def test_an_operator_that_raises_on_examples_is_used_all_the_same() -> None:
    """A subclass of a built-in operator need not cope with the examples of its base; only Ctrl-C goes through."""
    picky = Example(error=ValueError("not for me"))
    first = step(picky, record_timeout=60.0)
    first.warm_up()
    assert picky.take_reported() == {}
    assert first.pace.size(1000) == 1
    with pytest.raises(KeyboardInterrupt):
        step(Example(error=KeyboardInterrupt()), record_timeout=60.0).warm_up()
