"""Counting of records in any form: how many there are, parts of them, a column's bytes, a fingerprint.

No library of data frames is imported here: a value can only be of a form whose library is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xxhash

from mega_data_factory.observe.counting.forms.form import Form, digest_object
from mega_data_factory.observe.counting.forms.library_forms import (
    ARROW,
    ARROW_ARRAY,
    LIBRARIES,
    NUMPY,
    PANDAS,
    POLARS,
    POLARS_SERIES,
)


def form_of(value: object) -> Form | None:
    """Return the form of a value that holds any number of records; None for everything else: a single record, say."""
    kind = type(value)
    known = _BY_TYPE.get(kind)
    if known is not None:
        return known
    if isinstance(value, list | tuple):
        return _list_form(value)
    if isinstance(value, Mapping):
        return _mapping_form(value)
    for module, names in LIBRARIES.items():
        library = sys.modules.get(module)
        if library is None:
            continue
        for name, form in names.items():
            base = getattr(library, name, None)  # a library that is just being imported has none yet
            if base is not None and isinstance(value, base):
                _BY_TYPE[kind] = form
                return form
    return None


def count_records(value: object, *, unknown: int = 1) -> int:
    """Return the number of records in a value.

    Args:
        value: a batch of records, or a record.
        unknown: what a value of no known form counts as: one record, by default.
    """
    form = form_of(value)
    return unknown if form is None else form.count(value)


def record_at(value: object, place: int) -> object:
    """Return a record of a batch; anything else as it is.

    Args:
        value: a batch of records, or a record.
        place: of the record, from 0.
    """
    form = form_of(value)
    return value if form is None else next(iter(form.records(form.cut(value, place, place + 1))), None)


def none_of(like: object, rejected: object) -> object:
    """Return the mask of a filter that rejects every record.

    Args:
        like: a mask of the type that is wanted.
        rejected: the records, or a mask with an entry for each.
    """
    form, records = form_of(like), count_records(rejected)
    assert form is not None, "a mask is a sequence"
    if form is _LIST:
        return [False] * records
    if form is NUMPY:
        return sys.modules["numpy"].zeros(records, dtype=bool)
    if form is ARROW_ARRAY:
        return sys.modules["pyarrow"].array([False] * records)
    if form is POLARS_SERIES:
        return sys.modules["polars"].Series([False] * records, dtype=sys.modules["polars"].Boolean)
    return sys.modules["pandas"].Series([False] * records, index=getattr(rejected, "index", None))


def is_lazy(value: object) -> bool:
    """Return whether a value is a plan that is computed later, so that its records cannot be counted."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(value, polars.LazyFrame | polars.Expr)


def is_table(value: object) -> bool:
    """Return whether a value is known to be a table: it has columns, and cannot be the mask of a filter."""
    return _BY_TYPE.get(type(value)) in (ARROW, PANDAS, POLARS)


def mask_of(value: object, records: int) -> int | None:
    """Return the number of true entries in the mask of a filter; None for what is not a mask.

    Args:
        value: what a step returned.
        records: records that it was given; a mask has as many entries.
    """
    kind = type(value)
    if kind is list:
        entries: list[object] = value  # type: ignore[assignment]
        if len(entries) != records or (entries and type(entries[0]) is dict):
            return None
        if not all(e is True or e is False or e is None or _is_numpy_bool(e) for e in entries):
            return None
        return sum(map(bool, entries))
    module = kind.__module__.partition(".")[0]
    if module == "numpy" and getattr(value, "ndim", None) == 1 and value.dtype == bool:  # type: ignore[attr-defined]
        return int(value.sum()) if len(value) == records else None  # type: ignore[attr-defined,arg-type]
    if module == "pyarrow":
        pa = sys.modules["pyarrow"]
        if isinstance(value, pa.BooleanArray):
            return int(value.true_count) if len(value) == records else None
        if isinstance(value, pa.ChunkedArray) and pa.types.is_boolean(value.type):
            return sum(chunk.true_count for chunk in value.chunks) if len(value) == records else None
    is_series = module in ("pandas", "polars") and kind.__name__ == "Series"
    if is_series and str(value.dtype) in _TRUTH_VALUES:  # type: ignore[attr-defined]
        return int(value.sum() or 0) if len(value) == records else None  # type: ignore[attr-defined,arg-type]
    return None


def entries_of(mask: Any) -> list[bool]:
    """Return the entries of a mask of any type; one that is null rejects."""
    if hasattr(mask, "fillna"):  # pandas, whose null is no truth value
        return [bool(entry) for entry in mask.fillna(False)]
    return [bool(entry) for entry in (mask.to_pylist() if hasattr(mask, "to_pylist") else mask)]


_TRUTH_VALUES = frozenset({"bool", "boolean", "Boolean", "bool[pyarrow]"})
"""Names of the types of truth values in pandas and polars."""


def decision_of(value: object) -> bool | None:
    """Return the decision of a filter on one record; None for what is not a truth value."""
    if value is True or value is False:
        return value
    return bool(value) if _is_numpy_bool(value) else None


def text_bytes(value: object, column: str) -> int:
    """Return the bytes of the UTF-8 text in a column of a batch or a record; 0 if there is no such column."""
    form = form_of(value)
    try:
        if form is None:
            return _bytes_of(_field(value, column))
        return _column_bytes(form.column(value, column))
    except (KeyError, IndexError, TypeError, AttributeError):
        return 0


def fingerprint(value: object) -> str | None:
    """Return 32 hex digits that values of equal content share; None if the content cannot be read.

    xxh3 with 128 bits over the values' bytes: two of a billion batches collide with a probability below 1e-20.
    """
    digest = xxhash.xxh3_128()
    form = form_of(value)
    try:
        if form is None:
            digest_object(value, digest)
        else:
            digest.update(f"{form.name}:{form.count(value)}".encode())
            form.digest(value, digest)
    except Exception:  # noqa: BLE001 - pickle raises anything; what has no fingerprint is counted every time
        return None
    return digest.hexdigest()


# ── columns and fields ────────────────────────────────────────────────────────────────────────────────────────────────


def _field(record: Any, name: str) -> object:
    return record[name] if isinstance(record, Mapping) else getattr(record, name)


def _bytes_of(text: object) -> int:
    if isinstance(text, str):
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return len(text) if isinstance(text, bytes | bytearray | memoryview) else 0


def _column_bytes(column: Any) -> int:
    module = type(column).__module__.partition(".")[0]
    if module == "pyarrow":
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return pc.sum(pc.binary_length(column)).as_py() or 0
    if module == "polars":
        return int(column.str.len_bytes().sum() or 0)
    return sum(map(_bytes_of, column))


def _column_form(column: Any) -> Form:
    form = form_of(column)
    assert form is not None, "a column of a batch has a form"
    return form


def _columns_join(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _column_form(parts[0][name]).join([part[name] for part in parts]) for name in parts[0]}


def _columns_digest(value: Mapping[str, Any], digest: Any) -> None:
    for name, column in value.items():
        digest.update(f"{name}:".encode())
        _column_form(column).digest(column, digest)


def _columns_records(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = [_column_form(column).records(column) for column in value.values()]
    return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]


COLUMNS = Form(
    "columns",
    count=lambda v: len(next(iter(v.values()))) if v else 0,
    cut=lambda v, start, stop: {name: _column_form(column).cut(column, start, stop) for name, column in v.items()},
    join=_columns_join,
    column=lambda v, name: v[name],
    keep=lambda v, mask: {name: _column_form(column).keep(column, mask) for name, column in v.items()},
    digest=_columns_digest,
    records=_columns_records,
)


def _list_digest(value: Sequence[Any], digest: Any) -> None:
    for record in value:
        digest_object(record, digest)


def _list_join(parts: Sequence[Any]) -> Any:
    joined = [record for part in parts for record in part]
    return tuple(joined) if isinstance(parts[0], tuple) else joined


def _list_keep(value: Sequence[Any], mask: Iterable[bool]) -> Any:
    kept = [record for record, keep in zip(value, mask, strict=True) if keep]
    return tuple(kept) if isinstance(value, tuple) else kept


_LIST = Form(
    "list",
    count=len,
    cut=lambda v, start, stop: v[start:stop],
    join=_list_join,
    column=lambda v, name: [_text_of(record, name) for record in v],
    keep=_list_keep,
    digest=_list_digest,
    records=lambda v: v,
)


def _text_of(record: object, name: str) -> object:
    return record if isinstance(record, str | bytes) else _field(record, name)


def _list_form(value: Sequence[Any]) -> Form | None:
    named = hasattr(value, "_fields") or hasattr(value, "__fields__")  # a named tuple, a row of Spark: one record
    return None if isinstance(value, tuple) and named else _LIST


def are_columns(value: Mapping[Any, Any]) -> bool:
    """Return whether a mapping can be columns of equal length, where it is known to be more than a record."""
    return _mapping_form(value, least_lists=1) is not None


def _mapping_form(value: Mapping[Any, Any], *, least_lists: int = 2) -> Form | None:
    """Return the form of columns for a mapping of columns of equal length, None for a record.

    Arrays are columns. Lists alone could be either: they are columns where all values are lists of one length, and
    there are at least two.
    """
    lengths = set()
    lists = 0
    for column in value.values():
        kind = type(column)
        if kind is list:
            lists += 1
        elif kind.__module__.partition(".")[0] not in _COLUMNLIBRARIES or form_of(column) is None:
            return None
        lengths.add(len(column))
        if len(lengths) > 1:
            return None
    if not value or (lists == len(value) and lists < least_lists):
        return None
    return COLUMNS


_COLUMNLIBRARIES = frozenset({"numpy", "pyarrow", "pandas", "polars"})


def _is_numpy_bool(value: object) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")


_BY_TYPE: dict[type, Form] = {list: _LIST, tuple: _LIST}
