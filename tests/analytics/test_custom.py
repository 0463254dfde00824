"""Custom metrics of operators, over workers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory.analytics.runs.custom_metrics import custom_metrics


def _table(*rows: tuple[str, int, str | None]) -> pa.Table:
    """Rows of operators of one stage: operator, input records, custom metrics."""
    columns: dict[str, list[Any]] = {
        "stage_index": [0] * len(rows),
        "operator_index": [ord(name[0]) for name, _, _ in rows],
        "stage_name": ["clean"] * len(rows),
        "operator_name": [name for name, _, _ in rows],
        "input_records": [records for _, records, _ in rows],
        "custom_metrics": [text for _, _, text in rows],
    }
    return pa.table(columns)


def test_sums_and_ratios_are_over_all_workers() -> None:
    """A worker that reported nothing adds its records to the ratio."""
    found = custom_metrics(
        _table(("b", 5, '{"z": 1}'), ("a", 10, '{"chars": 30}'), ("a", 20, None), ("a", 10, '{"chars": 10.5}'))
    )
    assert [(m.operator, m.name, m.total) for m in found] == [("a", "chars", 40.5), ("b", "z", 1)]
    assert found[0].per_record == pytest.approx(40.5 / 40)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '"text"', "true", "[1]", '{"hits": 3}'])
def test_what_is_not_a_finite_number_has_no_sum(value: str) -> None:
    """Nothing is added to it, and it is shown as it is."""
    (found,) = custom_metrics(_table(("a", 10, '{"m": 1}'), ("a", 10, f'{{"m": {value}}}')))
    assert (found.total, found.per_record) == (None, None)
    assert found.text


def test_without_records_there_is_no_ratio() -> None:
    """A sum without a record that came in is a sum alone."""
    (found,) = custom_metrics(_table(("a", 0, '{"m": 2}')))
    assert (found.total, found.per_record) == (2, None)
