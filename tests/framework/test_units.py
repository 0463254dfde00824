"""Units of records: bytes of text, and tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.framework.metrics.models import OperatorMetrics, StageMetrics
from mega_data_factory.framework.units import Units, text_bytes, token_sum
from mega_data_factory.framework.worker.quarantine import isolate_poison
from tests.framework.making import MANY, Fragile, Long, Marking, batch, component, stage

TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
    pa.dictionary(pa.int8(), pa.string()),
]


@MANY
@given(
    st.lists(st.none() | st.text(max_size=20), max_size=12),
    st.lists(st.none() | st.text(max_size=20), max_size=3),
    st.sampled_from(TYPES),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_bytes_of_text_of_every_type(
    texts: list[str | None], more: list[str | None], kind: pa.DataType, start: int, length: int
) -> None:
    """Text bytes are the sum of the lengths as UTF-8, of any type of text, slice and number of chunks."""
    chunks = [pa.array(part, pa.string()).cast(kind) for part in (texts, more)]
    rows = pa.table({"text": pa.chunked_array(chunks, kind)}).slice(start, length)
    expected = sum(len(text.encode()) for text in (texts + more)[start : start + length] if text is not None)
    assert text_bytes(rows, "text") == expected


def test_bytes_under_a_null_do_not_count() -> None:
    """Arrow lets a null keep bytes; they are no text."""
    whole = pa.array(["abc", "hidden", "de"])
    _, offsets, data = whole.buffers()
    hidden = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(bytes([0b101])), offsets, data])
    assert text_bytes(pa.table({"text": hidden}), "text") == 5


@pytest.mark.parametrize("kind", [pa.int64(), pa.list_(pa.string()), pa.null(), pa.bool_()])
def test_what_is_not_text_is_not_counted(kind: pa.DataType) -> None:
    """A column that holds something else, or is not there, has no bytes of text: unknown, and not zero."""
    rows = pa.table({"text": pa.nulls(2, kind)})
    assert text_bytes(rows, "text") is None
    assert text_bytes(rows, "body") is None


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, 5], pa.int32(), 6),
        ([1.5, float("nan"), 5.0], pa.float64(), 6),
        ([np.float16(1.5), None, np.float16(5)], pa.float16(), 6),
        ([], pa.int64(), 0),
        ([None], pa.null(), 0),
        ([-5], pa.int64(), None),
        ([2**62, 2**62], pa.int64(), None),
        (["7"], pa.string(), None),
        ([True], pa.bool_(), None),
    ],
)
def test_tokens_are_the_sum_of_their_column(values: list[Any], kind: pa.DataType, expected: int | None) -> None:
    """Numbers are added up; what cannot be a number of tokens is not counted."""
    rows = pa.table({"n": pa.array(values, kind)})
    assert token_sum(rows, "n") == expected
    assert token_sum(rows, "m") is None


class Shouting(Refiner):
    """Appends `!` to every text, and the number of its characters."""

    def refine(self, table: pa.Table) -> pa.Table:
        texts = [f"{text}!" for text in table.column("text").to_pylist()]
        refined = table.set_column(1, "text", pa.array(texts))
        return refined.append_column("n_tokens", pa.array([len(text) for text in texts]))


def flow(row: OperatorMetrics | StageMetrics) -> tuple[Units, Units]:
    return Units(row.input_text_bytes, row.input_tokens), Units(row.output_text_bytes, row.output_tokens)


def test_every_operator_has_its_units() -> None:
    """Bytes and tokens in and out of every operator; tokens from the operator on that makes their column."""
    operators = component(Long), component(Shouting), replace(component(Long, min_length=6), name="longer")
    run = stage(*operators, token_column="n_tokens")
    rows = run(batch(["no", "four", "seven7", "BAD"])).metrics
    assert [flow(row) for row in rows] == [
        (Units(15), Units(10)),
        (Units(10), Units(12, 12)),
        (Units(12, 12), Units(7, 7)),
    ]
    total = StageMetrics.from_operators(rows, "quality")
    assert flow(total) == (Units(15), Units(7, 7))


def test_a_table_without_text_has_no_bytes() -> None:
    """Where there is no column of text, bytes are unknown on all levels."""
    run = stage(component(Long), text_column="body")
    row = run(batch(["four", "no"])).metrics[0]
    assert flow(row) == (Units(), Units())
    assert flow(OperatorMetrics.from_wire(row.to_wire())) == (Units(), Units())


def test_a_column_of_tokens_must_hold_numbers() -> None:
    """In the first batch of the source another type is a mistake; in a later one its tokens are not counted."""
    run = stage(component(Long), token_column="text")
    with pytest.raises(ConfigError, match="token_column: column `text` holds string, not numbers"):
        run(batch(["four", "seven7"]))
    assert run(batch(["four"], number=1)).metrics[0].input_tokens is None


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_units_add_up_over_batches(parts: int) -> None:
    """However the records are cut into batches, and whatever they travel through, the sums are the same."""
    texts = ["four", "no", "seven7", "x" * 100, "BAD"]
    size = -(-len(texts) // parts)
    run = stage(component(Long), component(Marking))
    rows: dict[str, OperatorMetrics] = {}
    for at in range(0, len(texts), size):
        for row in run(batch(texts[at : at + size], number=1)).metrics:
            travelled = OperatorMetrics.from_wire(row.to_wire())
            name = row.operator_name
            rows[name] = rows[name] + travelled if name in rows else travelled
    assert [flow(row) for row in rows.values()] == [(Units(115), Units(110)), (Units(110), Units(110))]


def test_dead_letters_leave_the_units_of_earlier_stages() -> None:
    """The bytes of a record that killed its workers are in no account: one stage's output is the next one's input."""
    first = stage(component(Long))(batch(["four", "POISON", "no"]))
    second = stage(component(Marking), name="next", index=1)
    result = isolate_poison(first, second.plan, Fragile(second), 2, None)
    assert [flow(row) for row in result.metrics] == [(Units(6), Units(4)), (Units(4), Units(4))]


def test_units_are_stored() -> None:
    """What a hand-made row says is kept where it is a number."""
    row = OperatorMetrics("r", "s", "o", "w", input_text_bytes=5, output_text_bytes=3)
    assert (row + row).input_text_bytes == 10
    assert (row + row).input_tokens is None
