"""Tables whose columns were typed apart."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory.framework.tables import concat


def test_types_are_promoted_where_arrow_can() -> None:
    """Int and float become float, a missing column is null."""
    table = concat([pa.table({"a": [1]}), pa.table({"a": [0.5], "b": ["x"]})])
    assert table.to_pylist() == [{"a": 1.0, "b": None}, {"a": 0.5, "b": "x"}]


def test_a_column_of_numbers_here_and_texts_there_becomes_text() -> None:
    """Only the column that clashes changes; lists become JSON text."""
    table = concat([pa.table({"a": [1], "n": [1]}), pa.table({"a": ["x"], "n": [2]}), pa.table({"a": [[1, 2]]})])
    assert table.column("a").to_pylist() == ["1", "x", "[1, 2]"]
    assert table.column("n").to_pylist() == [1, 2, None]


def test_tables_without_rows_do_not_count() -> None:
    """The schema of an empty table is not imposed on records."""
    empty = pa.table({"a": pa.array([], pa.int64()), "gone": pa.array([], pa.int64())})
    assert concat([empty, pa.table({"a": ["x"]})]).column_names == ["a"]
    assert concat([empty, empty]).num_rows == 0
