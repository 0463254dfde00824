"""Measurement of the columns of a data file that is about to be written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.commit.text_measuring import characters_of, hashes_of
from mega_data_factory.framework.metrics.details.columns.column_statistics import ColumnStatistics
from mega_data_factory.framework.metrics.details.columns.distinct_count import DistinctCount, mixed
from mega_data_factory.framework.metrics.details.columns.value_histogram import Floats, ValueHistogram
from mega_data_factory.redaction.loggers import logger

MOST_COLUMNS = 200
"""Columns, and fields of structs, that are measured; further ones are not."""

_DEEPEST = 3
"""Levels of structs whose fields are columns of their own."""

_LONG_CHUNK_BYTES = 65_536
"""Bytes of a chunk of texts above which a pass over each chunk takes less time than putting the chunks together."""

_Values: TypeAlias = pa.Array | pa.ChunkedArray

_log = logger("mega_data_factory.metrics")

_logged: set[tuple[str, str]] = set()
"""Columns and types of this process that could not be measured: each is logged once."""


def measure_columns(table: pa.Table) -> list[ColumnStatistics]:
    """Return the statistics of the columns of a table, of the first `MOST_COLUMNS`.

    A column that cannot be measured has records and nulls alone, and the log says why, once: no file fails for its
    statistics.
    """
    found: list[ColumnStatistics] = []
    for position, name in enumerate(table.column_names):
        if len(found) >= MOST_COLUMNS:
            break
        column = table.column(position)
        try:
            leaves = itertools.islice(_leaves(name, _whole(column), _DEEPEST), MOST_COLUMNS - len(found))
            found += [_measured(path, values, position) for path, values in leaves]
        except Exception as error:  # noqa: BLE001 - whatever a column is, its file is written
            _log_failure(name, column.type, error)
            found.append(_counted(name, column, position))
    return found


def _whole(column: pa.ChunkedArray) -> _Values:
    """Return a column in one piece, but if that would copy many long values."""
    long = column.nbytes > _LONG_CHUNK_BYTES * column.num_chunks
    return column if long and (_is_text(column.type) or _is_binary(column.type)) else column.combine_chunks()


def _leaves(name: str, values: _Values, depth: int) -> Iterator[tuple[str, _Values]]:
    """Yield a column, and the fields of a struct as columns of their own."""
    yield name, values
    if pa.types.is_struct(values.type) and depth:
        for field, child in zip(values.type, values.flatten(), strict=True):
            yield from _leaves(f"{name}.{field.name}", child, depth - 1)


def _measured(name: str, values: _Values, position: int) -> ColumnStatistics:
    statistics = _counted(name, values, position)
    try:
        known = _plain(values).drop_null()
        for applies, measure in _KINDS:
            if applies(known.type):
                measure(statistics, known)
                break
    except Exception as error:  # noqa: BLE001 - whatever a column is, its file is written
        _log_failure(name, values.type, error)
        return _counted(name, values, position)
    return statistics


def _counted(name: str, values: _Values, position: int) -> ColumnStatistics:
    return ColumnStatistics(name, str(values.type), "other", position, len(values), values.null_count)


def _log_failure(name: str, kind: pa.DataType, error: Exception) -> None:
    if (name, str(kind)) not in _logged:
        _logged.add((name, str(kind)))
        _log.warning("the output column %s (%s) is not measured: %s", name, kind, error)


def _plain(values: _Values) -> _Values:
    """Return the values without extension type, dictionary or views, whose kinds Arrow computes little of."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.large_binary()) if pa.types.is_binary_view(values.type) else values


# ── kinds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _boolean(statistics: ColumnStatistics, values: pa.BooleanArray) -> None:
    statistics.kind = "boolean"
    statistics.true_values = values.true_count
    both = [statistics.true_values > 0, len(values) > statistics.true_values]
    statistics.distinct = DistinctCount.from_hashes(mixed(np.flatnonzero(both).astype(np.int64)))


def _integer(statistics: ColumnStatistics, values: pa.Array) -> None:
    statistics.kind = "number"
    numbers = values.to_numpy(zero_copy_only=False)
    statistics.distinct = DistinctCount.from_hashes(mixed(numbers.astype(np.int64)))
    _add_numbers(statistics, numbers.astype(np.float64))


def _floating(statistics: ColumnStatistics, values: pa.Array) -> None:
    statistics.kind = "number"
    numbers = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    finite = numbers[np.isfinite(numbers)]
    statistics.not_finite = len(numbers) - len(finite)
    statistics.distinct = DistinctCount.from_hashes(mixed(finite + 0.0))
    _add_numbers(statistics, finite)


def _decimal(statistics: ColumnStatistics, values: pa.Array) -> None:
    _floating(statistics, values.cast(pa.float64()))


def _time(statistics: ColumnStatistics, values: pa.Array) -> None:
    kind = values.type
    days = pa.types.is_date32(kind)
    numbers = values.cast(pa.int32() if days or pa.types.is_time32(kind) else pa.int64()).to_numpy(zero_copy_only=False)
    statistics.distinct = DistinctCount.from_hashes(mixed(numbers.astype(np.int64)))
    statistics.kind = "time"
    _add_numbers(statistics, numbers.astype(np.float64) * (86_400.0 if days else _seconds_of(kind)))


def _text(statistics: ColumnStatistics, values: _Values) -> None:
    statistics.kind = "text"
    values = _chunked(values)
    statistics.distinct = DistinctCount.from_hashes(hashes_of(values))
    _add_numbers(statistics, characters_of(values))


def _binary(statistics: ColumnStatistics, values: _Values) -> None:
    statistics.kind = "binary"
    statistics.distinct = DistinctCount.from_hashes(hashes_of(_chunked(values)))
    _add_numbers(statistics, pc.binary_length(values).to_numpy(zero_copy_only=False).astype(np.float64))


def _chunked(values: _Values) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _list(statistics: ColumnStatistics, values: pa.Array) -> None:
    statistics.kind = "list"
    _add_numbers(statistics, pc.list_value_length(values).to_numpy(zero_copy_only=False).astype(np.float64))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind)) and not pa.types.is_interval(kind)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_binary(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[ColumnStatistics, Any], None]], ...] = (
    (pa.types.is_boolean, _boolean),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _floating),
    (pa.types.is_decimal, _decimal),
    (_is_time, _time),
    (_is_text, _text),
    (_is_binary, _binary),
    (_is_list, _list),
)


def _add_numbers(statistics: ColumnStatistics, numbers: Floats) -> None:
    numbers = numbers + 0.0  # -0.0 is 0.0
    if len(numbers):
        statistics.minimum, statistics.maximum = float(numbers.min()), float(numbers.max())
        statistics.values = ValueHistogram.from_values(numbers)


def _seconds_of(kind: pa.DataType) -> float:
    """Return the seconds of one unit of a type of time."""
    if pa.types.is_date64(kind):
        return 1e-3
    return {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
