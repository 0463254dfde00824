"""Calls on single records that are counted together are counted as those that are counted one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mega_data_factory as mdf
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.rows import RowTally, is_row
from tests.observe.runs import rows_of

ROWS = [{"id": number, "text": "a"} for number in range(60)]


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


def counted(folder: Path, function: Any, reason: str | None, *, tallied: bool) -> tuple[Any, ...]:
    """Call a step with all records; return what came out, and what was counted."""
    with mdf.observe("rows", metrics=folder, node_interval=0) as run:
        step = run.step(function, reason=reason)
        account = Account(step.spec.id, "w")
        tally = RowTally(step.spec, account)
        if tallied:
            step._tally = lambda spec: tally
        returned = [step(row) for row in ROWS]
        out = [list(value) if hasattr(value, "__next__") else value for value in returned]
        tally.settle()
        connection = step.spec.run.connect()
        connection.deliver(connection.current()[0], account)
    row = rows_of(folder, run.run_id)[function.__name__]
    counts = (row.input_records, row.output_records, row.rejected_records, row.created_records, row.error_count)
    return out, counts, row.rejected_reasons, row.custom_metrics, row.latency_histogram.total


@pytest.mark.parametrize("reason", [None, "missing"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_tally_counts_as_the_step_does(function: Any, reason: str | None, tmp_path: Path) -> None:
    """Whatever the function returns and says."""
    single = counted(tmp_path / "a", function, reason, tallied=False)
    together = counted(tmp_path / "b", function, reason, tallied=True)
    assert together == single
    assert single[1][0] == len(ROWS)


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
