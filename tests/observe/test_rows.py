"""Calls on single records that are counted together are counted as those that are counted one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mega_data_factory as mdf
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.rows import RowTally, is_row
from mega_data_factory.observe.engines.engine import Task
from tests.observe.runs import rejected_records, rows_of, slices_of

ROWS = [{"id": number, "text": "a" * (number % 7), "kind": f"kind {number % 4}"} for number in range(60)]

WATCHED: dict[str, Any] = {"rejects": "all", "slice_by": "kind", "text": "text", "tokens": "id"}
"""Options that let every record be looked at."""


def decides(row: dict[str, Any]) -> Any:
    """Keep two of three."""
    return row["id"] % 3 != 0


def decides_with_numpy(row: dict[str, Any]) -> Any:
    """Likewise, with NumPy's truth values."""
    return np.bool_(row["id"] % 3 != 0)


def rejects(row: dict[str, Any]) -> Any:
    """Name some reasons, leave others to the step."""
    if row["id"] % 5 == 0:
        mdf.observe.reject(row, "fifth", score=row["id"], threshold=5)
        return False
    return row["id"] % 2 == 0


def explodes(row: dict[str, Any]) -> Any:
    """Return none, one or two records."""
    mdf.observe.report("seen", 1)
    return [row] * (row["id"] % 3)


def explodes_and_rejects(row: dict[str, Any]) -> Any:
    """Return two records of which one stands for a rejected one."""
    if row["id"] % 4 == 0:
        mdf.observe.reject(row, "fourth")
        return [row, row]
    return [row]


def changes(row: dict[str, Any]) -> Any:
    """Return another record."""
    return {"id": -row["id"]}


def yields(row: dict[str, Any]) -> Any:
    """Yield records."""
    yield from [row] * (row["id"] % 3)


def returns_nothing(row: dict[str, Any]) -> Any:
    """Return nothing for some."""
    return row if row["id"] % 2 else None


def lists(row: dict[str, Any]) -> Any:
    """Return a list that is one record."""
    return [row["id"], row["text"]]


FUNCTIONS = [
    decides,
    decides_with_numpy,
    rejects,
    explodes,
    explodes_and_rejects,
    changes,
    yields,
    returns_nothing,
    lists,
]


def counted(
    folder: Path, function: Any, reason: str | None, *, tallied: bool, watched: bool = False
) -> tuple[Any, ...]:
    """Call a step with all records; return what came out, and what was counted."""
    with mdf.observe("rows", metrics=folder, node_interval=0, **(WATCHED if watched else {})) as run:
        step = run.step(function, reason=reason)
        account = Account(step.spec.id, "w")
        tally = RowTally(step.spec, account, Task(None, "w", "w"))
        if tallied:
            step._tally = lambda spec: tally
        returned = [step(row) for row in ROWS]
        out = [list(value) if hasattr(value, "__next__") else value for value in returned]
        tally.settle()
        connection = step.spec.run.connect()
        connection.deliver(connection.current()[0], account)
    row = rows_of(folder, run.run_id)[function.__name__]
    counts = (row.input_records, row.output_records, row.rejected_records, row.created_records, row.error_count)
    units = (row.input_text_bytes, row.output_text_bytes, row.input_tokens, row.output_tokens)
    looked_at = (rejected_records(folder, run.run_id), slices_of(folder, run.run_id), units) if watched else ()
    return out, counts, row.rejected_reasons, row.custom_metrics, row.latency_histogram.total, looked_at


@pytest.mark.parametrize("reason", [None, "missing"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_tally_counts_as_the_step_does(function: Any, reason: str | None, tmp_path: Path) -> None:
    """Whatever the function returns and says."""
    single = counted(tmp_path / "a", function, reason, tallied=False)
    together = counted(tmp_path / "b", function, reason, tallied=True)
    assert together == single
    assert single[1][0] == len(ROWS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_told_of_each_record_is_the_same(function: Any, tmp_path: Path) -> None:
    """Slices, units and rows of rejected records, whichever records are left to the step."""
    single = counted(tmp_path / "a", function, "missing", tallied=False, watched=True)
    together = counted(tmp_path / "b", function, "missing", tallied=True, watched=True)
    assert together == single
    rows, slices, _ = together[-1]
    assert len(rows) == together[1][2]
    assert sum(row[2] for row in slices) == len(ROWS)


def test_an_error_passes_and_is_counted(tmp_path: Path) -> None:
    """The records before it count as what they were."""

    def fails(row: dict[str, Any]) -> Any:
        if row["id"] == 40:
            raise ValueError("not this one")
        return row

    with pytest.raises(ValueError, match="not this one"):
        counted(tmp_path, fails, None, tallied=True)


def test_a_batch_of_columns_is_no_row() -> None:
    """What may be a batch is left to the step."""
    assert is_row({"id": 1, "scores": np.zeros(3)})
    assert not is_row({"id": np.zeros(3)})
    assert not is_row({"id": [1, 2]})
    assert not is_row({})
    assert not is_row([1])
