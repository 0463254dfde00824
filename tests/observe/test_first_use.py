"""What a first user may do with a run and its steps: it counts right, or is refused with one clear error."""

from __future__ import annotations

import collections
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from mega_data_factory.observe import ObservedRun
from mega_data_factory.observe.driver.recording import recording
from mega_data_factory.redaction import redacted
from tests.observe.runs import flow, rows_of, run_row


@pytest.fixture
def observed(tmp_path: Path) -> Any:
    return functools.partial(mdf.observe, "first", metrics=tmp_path, node_interval=0)


def flows(folder: Path, run: ObservedRun) -> dict[str, tuple[int, int, int, int]]:
    return {name: flow(row) for name, row in rows_of(folder, run.run_id).items()}


def passing(records: Any) -> Any:
    return records


def each(records: Iterator[int]) -> Iterator[int]:
    yield from records


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Loop:
    """A record that contains itself and cannot be shown."""

    def __init__(self) -> None:
        self.me = self

    def __repr__(self) -> str:
        raise RuntimeError("no text")


# ── functions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_functions_of_any_kind(observed: Any, tmp_path: Path) -> None:
    class Steps:
        def method(self, rows: list[int]) -> list[int]:
            return rows[1:]

        @classmethod
        def of_class(cls, rows: list[int]) -> list[int]:
            return rows

    def first(count: int, rows: list[int]) -> list[int]:
        return rows[:count]

    with observed() as run:
        assert run.step(lambda rows: [row for row in rows if row])([0, 1]) == [1]
        assert run.step(lambda rows: rows)([0]) == [0]
        assert run.step(functools.partial(functools.partial(first), 1))([1, 2, 3]) == [1]
        assert run.step(Steps().method)([1, 2, 3]) == [2, 3]
        assert run.step(Steps.of_class)([1]) == [1]
        assert run.step(run.step(passing, name="inner"), name="outer")([1, 2]) == [1, 2]
    assert flows(tmp_path, run) == {
        "lambda": (2, 1, 1, 0),
        "lambda_2": (1, 1, 0, 0),
        "first": (3, 1, 2, 0),
        "method": (3, 2, 1, 0),
        "of_class": (1, 1, 0, 0),
        "inner": (2, 2, 0, 0),
        "outer": (2, 2, 0, 0),
    }


@pytest.mark.parametrize(
    ("given", "records"),
    [
        ("text", 1),
        (b"bytes", 1),
        ({1, 2, 3}, 1),
        ((1, 2, 3), 3),
        ([], 0),
        ((), 0),
        (None, 1),
        ({"tags": ["a", "b"]}, 1),
        ({"a": [1, 2], "b": [3, 4]}, 2),
        ({"a": [1, 2], "b": [3]}, 1),
    ],
    ids=str,
)
def test_values_of_any_type(observed: Any, tmp_path: Path, given: object, records: int) -> None:
    with observed() as run:
        assert run.step(passing)(given) is given
    assert flows(tmp_path, run) == {"passing": (records, records, 0, 0)}


@pytest.mark.parametrize("kind", [set, frozenset, tuple, collections.deque, lambda rows: dict.fromkeys(rows).keys()])
def test_a_batch_that_becomes_another_collection(observed: Any, tmp_path: Path, kind: Any) -> None:
    with observed() as run:
        run.step(lambda rows: kind([row for row in rows if row > 1]), name="kept", reason="one")([1, 2, 3])
    assert flows(tmp_path, run) == {"kept": (3, 2, 1, 0)}


def test_a_stream_that_is_never_exhausted(observed: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with observed() as run:
        begun = run.step(each)(iter(range(100)))
        assert [next(begun), next(begun)] == [0, 1]
        run.step(each, name="never")(iter(range(100)))
    assert flows(tmp_path, run) == {"each": (2, 2, 0, 0)}
    begun.close()
    assert "has ended" not in caplog.text


def test_errors_and_records_that_cannot_be_shown(observed: Any, tmp_path: Path) -> None:
    def fail(rows: list[Any]) -> list[Any]:
        raise Unspeakable

    run = observed()

    def use() -> None:
        with run:
            assert run.step(fail, on_error="skip")([Loop(), Loop()]) == []
            assert run.step(lambda row: False, name="judge", reason="bad")(Loop()) is False
            raise Unspeakable

    with pytest.raises(Unspeakable):
        use()
    assert flows(tmp_path, run) == {"fail": (2, 0, 0, 2), "judge": (1, 0, 1, 0)}
    assert run_row(tmp_path, run.run_id)["error"] == "Unspeakable"


# ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_step_that_is_called_after_the_end_says_so_once(
    observed: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with observed() as run:
        step = run.step(passing)
        step([1])
    assert step([1, 2]) == [1, 2]
    assert run.step(passing, name="late")([1]) == [1]
    assert [r.message for r in caplog.records] == [f"{run.run_id} has ended: calls of its steps are no longer counted"]
    assert flows(tmp_path, run) == {"passing": (1, 1, 0, 0)}


def test_a_forked_child_does_not_end_the_run_of_its_parent(observed: Any, tmp_path: Path) -> None:
    """Neither by leaving the block with an error, nor by calling `end`."""
    with observed() as run:
        step = run.step(passing)
        for error in (None, ValueError("of the child")):
            child = os.fork()
            if child == 0:
                try:
                    step([1, 2, 3])
                    run.end()
                    run.__exit__(type(error) if error else None, error, None)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
        step([1])
    row = run_row(tmp_path, run.run_id)
    assert (row["status"], row["error"], row["pid"]) == ("completed", None, os.getpid())
    assert flows(tmp_path, run) == {"passing": (7, 7, 0, 0)}


def test_two_open_runs_cannot_have_one_id(observed: Any, tmp_path: Path) -> None:
    with observed(run_id="same") as run:
        run.step(passing)([1])
        with pytest.raises(RuntimeError, match="same is open in this process already"), observed(run_id="same"):
            pass
        run.step(passing)([1])
    assert flows(tmp_path, run) == {"passing": (1, 1, 0, 0), "passing_2": (1, 1, 0, 0)}
    with observed(run_id="same"):
        pass


@pytest.mark.parametrize("name", ["nächtlich / 100 %", "🙂", "a\nb", "' or \"", "../.."])
def test_names_of_odd_letters(tmp_path: Path, name: str) -> None:
    with mdf.observe(name, metrics=tmp_path, node_interval=0) as run:
        run.step(passing, name=name, stage=name)([1])
    assert flows(tmp_path, run) == {name: (1, 1, 0, 0)}
    assert run_row(tmp_path, run.run_id)["pipeline"] == name


def test_code_without_a_file(tmp_path: Path) -> None:
    """As a notebook executes it."""
    text = "with mdf.observe('cell', metrics=M, node_interval=0) as run:\n    run.step(lambda rows: rows)([1])\n"
    names: dict[str, Any] = {"mdf": mdf, "M": tmp_path}
    exec(text, names)
    assert flows(tmp_path, names["run"]) == {"lambda": (1, 1, 0, 0)}


def test_hundreds_of_steps(observed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration, which lists them all, is made when it is written, and not for every step."""
    made = []

    def counted(*arguments: Any) -> dict[str, Any]:
        made.append(arguments)
        return redacted(*arguments)

    monkeypatch.setattr(recording, "redacted", counted)
    with observed(flush_interval=60) as run:
        for _ in range(300):
            run.step(passing)([1])
    assert len(made) < 10
    rows = rows_of(tmp_path, run.run_id)
    assert [row.operator_index for row in rows.values()] == list(range(300))
    assert list(rows) == ["passing", *(f"passing_{number}" for number in range(2, 301))]
    assert len(run_row(tmp_path, run.run_id)["config"]["observed"]["steps"]) == 300


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"name": 5}, TypeError, "the name of a pipeline must be a string, not 5"),
        ({"name": ""}, ValueError, "the name of a pipeline must not be empty"),
        ({"metrics": None}, TypeError, "metrics must be a folder or the URI of one, not None"),
        ({"flush_interval": 0}, ValueError, "flush_interval must be above 0, not 0"),
        ({"flush_interval": "5"}, TypeError, "flush_interval must be a number, not '5'"),
        ({"flush_interval": float("nan")}, ValueError, "flush_interval must be above 0, not nan"),
        ({"node_interval": -1}, ValueError, "node_interval must be at least 0, not -1"),
        ({"rejected_samples": 1.5}, TypeError, "rejected_samples must be a whole number, not 1.5"),
        ({"rejected_samples": -1}, ValueError, "rejected_samples must be at least 0, not -1"),
        ({"config": ["a"]}, TypeError, r"config must be a mapping, not \['a'\]"),
        ({"redact": "token"}, TypeError, r"redact must be a list of keys, such as \['token'\], not a string"),
        ({"run_id": "../x"}, ValueError, "cannot be the name of a file"),
    ],
    ids=str,
)
def test_arguments_of_observe_are_checked(
    tmp_path: Path, arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        functools.partial(mdf.observe, name="refused", metrics=tmp_path)(**arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["name", "stage", "reason", "text"])
def test_texts_of_a_step_are_checked(observed: Any, option: str) -> None:
    with observed() as run:
        with pytest.raises(TypeError, match=f"{option} of a step must be a string, not 5"):
            run.step(passing, **{option: 5})
        with pytest.raises(ValueError, match=f"{option} of a step must not be empty"):
            run.step(passing, **{option: ""})


def test_nothing_is_written_outside_of_the_folder_of_the_metrics(
    observed: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with observed() as run:
        run.step(passing)([1])
    assert list(Path().iterdir()) == []


def test_a_batch_of_columns_may_come_back_with_one(tmp_path: Path) -> None:
    """One list alone is a record where it is given; where a batch of columns was given, it is what is left of them."""
    with mdf.observe("columns", metrics=tmp_path, node_interval=0) as run:
        step = run.step(lambda batch: {"text": [text for text in batch["text"] if text]}, name="full", reason="empty")
        assert step({"id": [1, 2, 3], "text": ["a", "", "b"]}) == {"text": ["a", "b"]}
    row = rows_of(tmp_path, run.run_id)["full"]
    assert (flow(row), row.rejected_reasons) == ((3, 2, 1, 0), {"empty": 1})
