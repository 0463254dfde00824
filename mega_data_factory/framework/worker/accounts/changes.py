"""Records that a refiner has changed: those of which a value is another than before."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def changed_records(before: pa.Table, after: pa.Table) -> int:
    """Return how many records have another value in a column that they came with; columns that are new do not count.

    A column that the refiner passed on as it was is not looked at. A column that is missing, or whose values cannot be
    compared with those before, changes every record.

    Args:
        before: Records as the refiner was given them.
        after: The same records as it returned them, in the same order.
    """
    changed: pa.ChunkedArray | None = None
    for name in before.column_names:
        if name not in after.column_names:
            return int(before.num_rows)
        old, new = before.column(name), after.column(name)
        if new.type == old.type and (_is_same(old, new) or new.equals(old)):
            continue
        try:
            differs = _differs(old, new)
        except pa.ArrowException:
            return int(before.num_rows)
        changed = differs if changed is None else pc.or_(changed, differs)
    return 0 if changed is None else int(pc.sum(changed).as_py() or 0)


def _is_same(old: pa.ChunkedArray, new: pa.ChunkedArray) -> bool:
    """Return whether two columns are the same memory: `equals` reads all of it, and says no if there is a NaN."""
    return [_places(chunk) for chunk in old.chunks] == [_places(chunk) for chunk in new.chunks]


def _places(array: pa.Array) -> list[int | None]:
    addresses = [None if buffer is None else buffer.address for buffer in array.buffers()]
    return [array.offset, len(array), *addresses]


def _differs(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return for each record whether its value differs, also from or to null.

    Raises:
        pa.ArrowException: The types cannot be compared.
    """
    if pa.types.is_nested(old.type) or pa.types.is_nested(new.type):
        pairs = zip(old.to_pylist(), new.to_pylist(), strict=True)
        return pa.chunked_array([pa.array([a != b for a, b in pairs], pa.bool_())])
    differs = pc.not_equal(old, new)
    if pa.types.is_floating(old.type) and pa.types.is_floating(new.type):
        differs = pc.and_not(differs, pc.and_(pc.is_nan(old), pc.is_nan(new)))
    nulls = pc.xor(pc.is_null(old), pc.is_null(new))
    return pc.or_(pc.fill_null(differs, False), nulls)
