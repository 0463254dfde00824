"""What Spark asks of a function before it runs it, asked of a step."""

from __future__ import annotations

import inspect
import pickle
import typing
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import mega_data_factory as mdf
from mega_data_factory.observe import ObservedRun
from mega_data_factory.observe.steps.step import Step
from tests.observe.runs import flow, rows_of


def upper(texts: pd.Series, suffix: str = "") -> pd.Series:
    return texts.str.upper() + suffix


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ObservedRun]:
    with mdf.observe("signatures", metrics=tmp_path, node_interval=0) as run:
        yield run


def test_a_step_has_the_arguments_of_its_function(run: ObservedRun) -> None:
    """`pandas_udf` and `mapInArrow` read the arguments with `getfullargspec`, and the types with `get_type_hints`."""
    step = run.step(upper)
    assert inspect.getfullargspec(step) == inspect.getfullargspec(upper)
    assert inspect.signature(step) == inspect.signature(upper)
    assert typing.get_type_hints(step) == {"texts": pd.Series, "suffix": str, "return": pd.Series}
    assert step.__name__ == "upper"
    assert list(inspect.signature(Step).parameters) == ["spec", "function"]


def test_a_function_of_a_script_may_call_mdf_observe() -> None:
    """cloudpickle takes along the modules that a function of `__main__` reaches by an attribute."""
    cloudpickle = pytest.importorskip("cloudpickle")

    def judge(batch: list[int]) -> list[int]:
        mdf.observe.reject(batch[1:], "rest")
        return batch[:1]

    judge.__module__ = "__main__"
    restored = pickle.loads(cloudpickle.dumps(judge))
    assert restored([1, 2]) == [1]
    assert pickle.loads(cloudpickle.dumps(mdf.observe)) is mdf.observe


class _Row(tuple[object, ...]):
    """As `pyspark.sql.Row`: a tuple that names its fields."""

    __fields__ = ("id", "text")


def test_a_row_is_one_record(run: ObservedRun, tmp_path: Path) -> None:
    """RDDs and `foreachPartition` hand over an iterator of rows, which are tuples."""

    def passed(rows: Iterator[_Row]) -> Iterator[_Row]:
        yield from rows

    assert len(list(run.step(passed)(iter([_Row((number, "text")) for number in range(3)])))) == 3
    run.end()
    assert flow(rows_of(tmp_path, run.run_id)["passed"]) == (3, 3, 0, 0)


def test_a_built_in_function_has_no_arguments_to_read(run: ObservedRun) -> None:
    """As without a step, `inspect` raises what it raises for the function itself."""
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(max)
    assert not hasattr(run.step(max), "__signature__")


def test_a_consumer_of_an_iterator_rejects_nothing(run: ObservedRun, tmp_path: Path) -> None:
    """What `foreachPartition` calls returns nothing; with a reason the step is there to reject."""

    def send(rows: Iterator[int]) -> None:
        for _ in rows:
            pass

    assert run.step(send)(iter([1, 2, 3])) is None
    run.step(send, name="drop", reason="unwanted")(iter([1, 2, 3]))
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["send"]) == (3, 3, 0, 0)
    assert flow(rows["drop"]) == (3, 0, 3, 0)
