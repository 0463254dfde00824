"""Refiners count the records that they change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.framework.worker.accounts.changes import changed_records
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.testing import MemoryClaims
from tests.fakes import ShortFilter
from tests.framework.making import component, stage_plan

BEFORE: dict[str, list[Any]] = {
    "record_id": ["a", "b", "c", "d"],
    "text": ["x", "y", None, None],
    "number": [1.0, float("nan"), None, 3.0],
    "tags": [["t"], [], None, ["t"]],
}


@pytest.mark.parametrize(
    ("column", "values", "changed"),
    [
        ("text", ["x", "y", None, None], 0),
        ("text", ["x", "Y", None, None], 1),
        ("text", [None, "y", "", None], 2),
        ("number", [1.0, 2.0, 3.0, 3.0], 2),
        ("number", [1.0, float("nan"), None, 4.0], 1),
        ("tags", [["t"], ["u"], None, None], 2),
        ("number", ["1", "2", "3", "4"], 4),
        ("new", [1, 2, 3, 4], 0),
    ],
)
def test_values_that_differ(column: str, values: list[Any], changed: int) -> None:
    """Nulls are values; a new column changes nothing, one whose type cannot be compared all."""
    before = pa.table(BEFORE)
    array = pa.array(values)
    at = before.schema.get_field_index(column)
    after = before.append_column(column, array) if at < 0 else before.set_column(at, column, array)
    assert changed_records(before, after) == changed


def test_a_column_that_is_dropped_changes_all() -> None:
    """Its values are gone from every record."""
    assert changed_records(pa.table(BEFORE), pa.table(BEFORE).drop_columns(["text"])) == 4


def test_agrees_with_a_comparison_of_every_value() -> None:
    """Over random tables, in chunks of their own."""
    random = np.random.default_rng(7)
    for _ in range(20):
        tables = [pa.table({n: random.integers(0, 3, 50).astype(str) for n in "ab"}) for _ in range(2)]
        before, after = (
            pa.concat_tables([one.slice(0, at), one.slice(at)]) for one, at in zip(tables, (7, 30), strict=True)
        )
        expected = sum(a != b for a, b in zip(before.to_pylist(), after.to_pylist(), strict=True))
        assert changed_records(before, after) == expected


class Shout(Refiner):
    """Makes texts upper case."""

    def refine(self, table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("text")
        return table.set_column(at, "text", pc.utf8_upper(table.column("text")))


def test_a_stage_counts_them_for_refiners_alone() -> None:
    """Of records that do not match `when` none is changed; a filter has no such number."""
    plan = stage_plan(component(Shout), component(ShortFilter, min_length=1), name="s")
    stage = Stage(plan, "w0", StageSettings("run-1"), MemoryClaims())
    result = stage(Batch("000000-00000", 0, pa.table({"record_id": list("abcd"), "text": ["abc", "DEF", "g1", ""]}), 4))
    assert [row.changed_records for row in result.metrics] == [2, None]
    assert [type(row).from_wire(row.to_wire()).changed_records for row in result.metrics] == [2, None]
