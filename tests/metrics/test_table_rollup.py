"""Operator rows add up the same as objects and as a table."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from mega_data_factory.framework.metrics import OperatorMetrics, schema
from mega_data_factory.framework.metrics.rows.rollup import over_workers
from mega_data_factory.framework.metrics.rows.table_rollup import table_over_workers

START = datetime(2026, 1, 1)


def measured(chance: random.Random, stage: int, operator: int, worker: int) -> OperatorMetrics:
    """Return a row with whatever a row may have."""
    row = OperatorMetrics("run_a", f"stage_{stage}", f"op_{operator}", f"w{worker}", START + timedelta(hours=worker))
    row.stage_index, row.operator_index = stage, operator
    for _ in range(chance.choice([0, 1, 5])):
        records = chance.choice([0, 1, 1000])
        row.observe(
            chance.lognormvariate(-4, 2),
            records,
            records // 2,
            reasons=chance.choice([None, {"short": records // 2}, {"short": 1, "long": records // 3}, {}]),
            custom=chance.choice([None, {"hits": 0.1, "name": f"w{worker}"}, {"hits": 2, "flag": True}]),
            unmatched_records=records // 10,
            input_bytes=chance.choice([0, 10]),
            created_records=chance.choice([0, 3]),
            cpu_seconds=chance.random(),
            text_bytes=chance.choice([(None, None), (7, None), (7, 3)]),
            changed_records=chance.choice([None, 0, records // 2]),
        )
    if chance.random() < 0.3:
        row.uncommitted_input_records, row.uncommitted_time = 5, 0.1
    return row


def by_hand(stage: int, worker: int) -> OperatorMetrics:
    """Return a row that was never measured: means only, some of them given."""
    row = OperatorMetrics("run_a", f"stage_{stage}", "by_hand", f"h{worker}", START, stage_index=stage)
    row.input_records, row.output_records, row.total_time = 10 * worker, 9 * worker, 0.1 * worker
    if worker % 2:
        row.avg_latency, row.p99_latency, row.max_latency = 0.5, 0.9, 0.8
    return row


def tables(rows: Iterable[OperatorMetrics]) -> pa.Table:
    return schema.to_table(rows, schema.OPERATORS, "run_a")


@pytest.mark.parametrize("seed", range(6))
def test_objects_and_tables_add_up_to_the_same(seed: int) -> None:
    """To the last bit, in the same order: several workers, one, rows without records, and rows made by hand."""
    chance = random.Random(seed)
    rows = [
        *(measured(chance, s, o, w) for w in range(9) for s in (2, 0, 1) for o in range(3) if o or w == 4),
        *(by_hand(s, w) for s in (1, 3) for w in range(4)),
    ]
    chance.shuffle(rows)
    table = tables(rows)
    stored = [OperatorMetrics.from_dict({k: v for k, v in r.items() if v is not None}) for r in schema.to_rows(table)]
    chunks = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    found = table_over_workers(chunks)
    assert [row.to_dict() for row in found] == [row.to_dict() for row in over_workers(stored)]
    assert found == over_workers(stored)


def test_rows_of_an_older_version() -> None:
    """Columns that are null in them, or that the table lacks, have their defaults."""
    table = tables([measured(random.Random(1), 0, 0, worker) for worker in range(3)])
    kept = table.column_names[: table.column_names.index("custom_metrics") + 1]
    old = pa.table(
        {name: table[name] if name in kept else pa.nulls(3, table[name].type) for name in table.column_names}
    )
    stored = [OperatorMetrics.from_dict({k: v for k, v in r.items() if v is not None}) for r in schema.to_rows(old)]
    expected = [row.to_dict() for row in over_workers(stored)]
    assert [row.to_dict() for row in table_over_workers(old)] == expected
    assert [row.to_dict() for row in table_over_workers(old.select([*kept, "latency_histogram"]))] == expected


def test_no_rows_and_rows_of_several_runs() -> None:
    """Of none nothing comes; several runs are added up, and called by the first."""
    assert table_over_workers(tables([])) == []
    rows = tables([by_hand(0, 1), by_hand(0, 2)])
    two = rows.set_column(0, "run_id", pa.array(["run_b", "run_a"], pa.string()))
    (row,) = table_over_workers(two)
    assert (row.run_id, row.input_records) == ("run_b", 30)
