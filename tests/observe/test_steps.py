"""What a step is to its caller: like the function, on any side of a pickle."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import dill
import pytest

import mega_data_factory as mdf
from mega_data_factory.observe import ObservedRun, reject, report
from mega_data_factory.observe.steps.step import Step
from tests.observe.runs import flow, rows_of, run_row


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ObservedRun]:
    with mdf.observe("steps", metrics=tmp_path, node_interval=0) as run:
        yield run


def evens(rows: list[int], least: int = 0) -> list[int]:
    """Keep even numbers."""
    return [row for row in rows if row % 2 == 0 and row >= least]


class AtLeast:
    """Keeps numbers from a least one on."""

    built = 0

    def __init__(self, least: int) -> None:
        self.least = least
        AtLeast.built += 1

    def __call__(self, rows: list[int]) -> list[int]:
        return [row for row in rows if row >= self.least]


PICKLES: list[ModuleType] = [pickle, cloudpickle, dill]
every_pickle = pytest.mark.parametrize("pickles", PICKLES, ids=lambda module: module.__name__)


def test_a_step_has_name_signature_and_docstring_of_its_function(run: ObservedRun) -> None:
    step = run.step(evens)
    assert (step.__name__, step.__qualname__, step.__module__) == ("evens", "evens", __name__)
    assert step.__doc__ == "Keep even numbers."
    assert step.__wrapped__ is evens
    assert inspect.signature(step) == inspect.signature(evens)
    assert step([1, 2, 4], least=3) == [4]
    assert step(rows=[1, 2]) == [2]


def test_partials_and_objects_have_a_name(run: ObservedRun, tmp_path: Path) -> None:
    assert run.step(functools.partial(evens, least=3))([2, 4]) == [4]
    assert run.step(AtLeast(2))([1, 2]) == [2]
    assert run.step(lambda rows: rows)([1]) == [1]
    run.end()
    assert list(rows_of(tmp_path, run.run_id)) == ["evens", "AtLeast", "lambda"]


@every_pickle
def test_a_step_survives_pickling_and_still_counts(run: ObservedRun, tmp_path: Path, pickles: ModuleType) -> None:
    step = pickles.loads(pickles.dumps(run.step(evens, reason="odd")))
    assert step([1, 2]) == [2]
    assert inspect.signature(step) == inspect.signature(evens)
    run.end()
    assert flow(rows_of(tmp_path, run.run_id)["evens"]) == (2, 1, 1, 0)


@every_pickle
def test_an_observed_class_survives_pickling(run: ObservedRun, tmp_path: Path, pickles: ModuleType) -> None:
    made = run.step(AtLeast)
    assert isinstance(made, type)
    assert (made.__name__, made.__doc__) == ("AtLeast", AtLeast.__doc__)
    assert list(inspect.signature(made).parameters) == ["least"]
    copied = pickles.loads(pickles.dumps(made))
    assert copied(2)([1, 2]) == [2]
    run.end()
    assert flow(rows_of(tmp_path, run.run_id)["AtLeast"]) == (2, 1, 1, 0)


def test_closures_survive_the_pickles_that_know_them(run: ObservedRun, tmp_path: Path) -> None:
    least = 3

    def large(rows: list[int]) -> list[int]:
        for row in rows:
            if row < least:
                run.reject(row, "small")
        run.report("sum", sum(rows))
        return [row for row in rows if row >= least]

    for module in (cloudpickle, dill):
        assert module.loads(module.dumps(run.step(large)))([1, 3]) == [3]
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["large"]) == (2, 1, 1, 0)
    assert rows["large"].rejected_reasons == {"small": 1}
    assert rows["large"].custom_metrics == {"sum": 4}


def test_a_class_with_arguments_is_built_once(run: ObservedRun) -> None:
    AtLeast.built = 0
    step = run.step(AtLeast, args=(2,))
    assert AtLeast.built == 0
    assert (step([1, 2]), step([3])) == ([2], [3])
    assert AtLeast.built == 1


def test_a_decorator_keeps_the_function_and_binds_methods(run: ObservedRun, tmp_path: Path) -> None:
    @run.step(stage="clean", reason="odd")
    def halves(rows: list[int]) -> list[int]:
        return [row // 2 for row in rows if row % 2 == 0]

    class Cleaner:
        @run.step(stage="clean", name="method")
        def clean(self, rows: list[int]) -> list[int]:
            return [row for row in rows if row]

    assert halves([1, 2]) == [1]
    assert Cleaner().clean([0, 1, 2]) == [1, 2]
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert (flow(rows["halves"]), flow(rows["method"])) == ((2, 1, 1, 0), (3, 2, 1, 0))
    assert {row.stage_name for row in rows.values()} == {"clean"}


def fail_after(block: Any) -> None:
    block.records(input=2, output=2)
    raise KeyError("x")


def test_a_block_is_a_step(run: ObservedRun, tmp_path: Path) -> None:
    with run.step("clean") as outer:
        with run.step("inner") as inner:
            reject(3, "three")
            inner.records(input=[1, 2, 3], output=2)
        outer.records(input=5, output=3, errors=1, reasons={"long": 1})
        report("words", 7)
    with pytest.raises(KeyError), outer:
        fail_after(outer)
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["clean"]) == (7, 3, 1, 3)
    assert rows["clean"].custom_metrics == {"words": 7}
    assert (flow(rows["inner"]), rows["inner"].rejected_reasons) == ((3, 2, 1, 0), {"three": 1})


def test_generators_count_what_passes_and_what_they_make(run: ObservedRun, tmp_path: Path) -> None:
    def split(texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            if text == "bad":
                reject(text, "bad")
            else:
                yield from text.split()

    def explode(text: str) -> Iterator[str]:
        yield from text.split()

    source = run.step(["a b", "bad", "c", "d e f"], name="read")
    assert list(run.step(split, reason="none")(iter(source))) == ["a", "b", "c", "d", "e", "f"]
    assert list(run.step(explode)("x y z")) == ["x", "y", "z"]
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert (flow(rows["read"]), rows["read"].created_records) == ((4, 4, 0, 0), 0)
    assert (flow(rows["split"]), rows["split"].created_records) == ((4, 6, 1, 0), 3)
    assert rows["split"].rejected_reasons == {"bad": 1}
    assert (flow(rows["explode"]), rows["explode"].created_records) == ((1, 3, 0, 0), 2)
    assert rows["split"].latency_histogram.total == 4


def test_a_consumer_may_stop_and_a_generator_may_raise(run: ObservedRun, tmp_path: Path) -> None:
    closed = []

    def pass_on(rows: Iterator[int]) -> Iterator[int]:
        try:
            for row in rows:
                if row == 9:
                    raise ValueError("nine")
                yield row
        finally:
            closed.append(True)

    stopped = run.step(pass_on, name="stopped")(iter(range(100)))
    assert [next(stopped) for _ in range(3)] == [0, 1, 2]
    stopped.close()
    assert closed == [True]
    with pytest.raises(ValueError, match="nine"):
        list(run.step(pass_on, name="raised")(iter(range(100))))
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["stopped"]) == (3, 3, 0, 0)
    assert flow(rows["raised"]) == (10, 9, 0, 1)


def test_the_time_of_a_step_over_an_iterator_is_without_that_of_its_input(run: ObservedRun, tmp_path: Path) -> None:
    def slow() -> Iterator[int]:
        for row in range(3):
            deadline = asyncio.new_event_loop()
            deadline.run_until_complete(asyncio.sleep(0.1))
            deadline.close()
            yield row

    assert list(
        run.step(lambda rows: (row for row in rows), name="fast")(run.step(slow(), name="slow").__iter__())
    ) == [
        0,
        1,
        2,
    ]
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert rows["slow"].total_time >= 0.3
    assert rows["fast"].total_time < rows["slow"].total_time / 2


def test_equal_names_in_a_stage_are_made_distinct(run: ObservedRun, tmp_path: Path) -> None:
    first, second = run.step(evens, stage="clean"), run.step(evens, stage="clean")
    second(first([1, 2]))
    run.end()
    assert {name: flow(row)[0] for name, row in rows_of(tmp_path, run.run_id).items()} == {"evens": 2, "evens_2": 1}


def test_nonsense_is_refused_with_one_clear_error(run: ObservedRun) -> None:
    with pytest.raises(TypeError, match="a step is a function, a class"):
        run.step(5)
    with pytest.raises(TypeError, match="has no __call__"):
        run.step(dict)
    with pytest.raises(TypeError, match="constructor of a class"):
        run.step(evens, args=(1,))
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'skip', not 'ignore'"):
        run.step(evens, on_error="ignore")
    with pytest.raises(TypeError, match="a reason must be text"):
        reject(1, 5)  # type: ignore[arg-type]
    in_worker = pickle.loads(pickle.dumps(run))
    with pytest.raises(RuntimeError, match="cannot be defined in a worker"):
        in_worker.step(evens)
    reject(1, "outside")
    report("outside", 1)


def test_a_step_that_is_refused_is_no_step_of_the_run(run: ObservedRun, tmp_path: Path) -> None:
    refused: list[tuple[Any, dict[str, Any]]] = [(5, {}), (dict, {}), (evens, {"args": (1,)})]
    for function, options in refused:
        with pytest.raises(TypeError):
            run.step(function, name="evens", stage="clean", **options)
    run.step(evens, stage="judge")([1, 2])
    run.end()
    (step,) = run_row(tmp_path, run.run_id)["config"]["observed"]["steps"]
    assert (step["stage"], step["name"]) == ("judge", "evens")
    row = rows_of(tmp_path, run.run_id)["evens"]
    assert (row.stage_name, row.stage_index, row.operator_index) == ("judge", 0, 0)


def test_secrets_in_arguments_and_configuration_are_not_stored(tmp_path: Path) -> None:
    with mdf.observe(
        "secret",
        metrics=tmp_path,
        node_interval=0,
        config={"token": "abc123", "threshold": 3, "internal": "x"},
        redact=["internal"],
    ) as run:
        run.step(AtLeast, args=(2,), kwargs={"api_key": "xyz789"})
    stored = str(run_row(tmp_path, run.run_id)["config"])
    assert "abc123" not in stored
    assert "xyz789" not in stored
    assert "'internal': '***'" in stored
    assert "'threshold': 3" in stored


def test_observing_imports_no_engine_and_no_data_frames() -> None:
    script = """
        import sys
        import mega_data_factory.observe.steps.step, mega_data_factory.observe.engines.plain
        heavy = {"ray", "pyspark", "dask", "datasets", "datatrove", "pandas", "polars", "duckdb", "pyarrow", "pydantic"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _module_level_imports(path: Path) -> Iterator[str]:
    import ast

    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_no_module_of_observe_but_the_engines_imports_an_engine_at_module_level() -> None:
    folder = Path(mdf.__file__).parent / "observe"
    engines = {"ray", "pyspark", "dask", "distributed", "datasets", "datatrove", "pandas", "polars"}
    found: dict[str, Any] = {str(p): set(_module_level_imports(p)) & engines for p in folder.glob("*.py")}
    assert not {path: names for path, names in found.items() if names}


def test_the_class_of_a_step_has_the_name_of_its_function(tmp_path: Path) -> None:
    """Engines that show the class of a callable object show that name; pickled and bound steps keep it."""
    with mdf.observe("names", metrics=tmp_path, node_interval=0) as run:
        step = run.step(str.upper, name="shouting")
        copied = pickle.loads(pickle.dumps(step))
    for made in (step, copied, pickle.loads(pickle.dumps(copied)), step.__get__("a", str)):
        assert type(made).__name__ == "upper"
        assert isinstance(made, Step)
        assert type(made).__mro__[1] is Step
