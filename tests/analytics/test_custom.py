"""Custom metrics of operators, over workers."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mega_data_factory.analytics.runs.adding_up import stages_of
from mega_data_factory.analytics.runs.custom_metrics import custom_metrics
from mega_data_factory.analytics.runs.totals import StageTotals
from mega_data_factory.framework.metrics import OperatorMetrics
from mega_data_factory.framework.metrics.schema import OPERATORS, to_table


def _stages(*rows: tuple[str, int, str | None]) -> tuple[StageTotals, ...]:
    """Rows of operators of one stage, each of a worker of its own: operator, input records, custom metrics."""
    made = [
        OperatorMetrics(
            "run_1", "clean", name, f"w{at}", input_records=n, output_records=n, operator_index=ord(name[0])
        )
        for at, (name, n, _) in enumerate(rows)
    ]
    table = to_table(made, OPERATORS, "run_1")
    texts = pa.array([text for _, _, text in rows], pa.string())
    return stages_of(table.set_column(table.column_names.index("custom_metrics"), "custom_metrics", texts))


def test_sums_and_ratios_are_over_all_workers() -> None:
    """A worker that reported nothing adds its records to the ratio."""
    found = custom_metrics(
        _stages(("b", 5, '{"z": 1}'), ("a", 10, '{"chars": 30}'), ("a", 20, None), ("a", 10, '{"chars": 10.5}'))
    )
    assert [(m.operator, m.name, m.total) for m in found] == [("a", "chars", 40.5), ("b", "z", 1)]
    assert found[0].per_record == pytest.approx(40.5 / 40)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '"text"', "true", "[1]", '{"hits": 3}'])
def test_what_is_not_a_finite_number_has_no_sum(value: str) -> None:
    """Nothing is added to it, and it is shown as it is."""
    (found,) = custom_metrics(_stages(("a", 10, '{"m": 1}'), ("a", 10, f'{{"m": {value}}}')))
    assert (found.total, found.per_record) == (None, None)
    assert found.text


def test_without_records_there_is_no_ratio() -> None:
    """A sum without a record that came in is a sum alone."""
    (found,) = custom_metrics(_stages(("a", 0, '{"m": 2}')))
    assert (found.total, found.per_record) == (2, None)
