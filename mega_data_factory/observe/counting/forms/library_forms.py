"""Forms of Arrow, pandas, polars and NumPy: each library is imported only by operations on its own values."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mega_data_factory.observe.counting.forms.form import Form

# ── Arrow ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _arrow_join(parts: Sequence[Any]) -> Any:
    import pyarrow as pa

    kind = type(parts[0])
    table = pa.concat_tables(
        [p if isinstance(p, pa.Table) else pa.Table.from_batches([p]) for p in parts], promote_options="permissive"
    )
    if kind is not pa.RecordBatch:
        return table
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else parts[0].slice(0, 0)


def _arrow_keep(value: Any, mask: Sequence[bool]) -> Any:
    import pyarrow as pa

    return value.filter(pa.array(mask, pa.bool_()))


def _arrow_digest(value: Any, digest: Any) -> None:
    import pyarrow as pa

    batches = value.to_batches() if isinstance(value, pa.Table) else [value]
    sink = _HashSink(digest)
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), value.schema.remove_metadata()) as stream:
        for batch in batches:
            stream.write_batch(batch.replace_schema_metadata(None))


class _HashSink:
    """A file that hashes what is written to it."""

    def __init__(self, digest: Any) -> None:
        self._digest = digest
        self.closed = False

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        self.closed = True


ARROW = Form(
    "arrow",
    count=lambda v: v.num_rows,
    cut=lambda v, start, stop: v.slice(start, stop - start),
    join=_arrow_join,
    column=lambda v, name: v.column(name),
    keep=_arrow_keep,
    digest=_arrow_digest,
    records=lambda v: v.to_pylist(),
)


def _array_join(parts: Sequence[Any]) -> Any:
    import pyarrow as pa

    return pa.chunked_array([chunk for p in parts for chunk in (p.chunks if hasattr(p, "chunks") else [p])])


def _array_digest(value: Any, digest: Any) -> None:
    import pyarrow as pa

    chunks = value.chunks if isinstance(value, pa.ChunkedArray) else [value]
    for chunk in chunks:
        _arrow_digest(pa.RecordBatch.from_arrays([chunk], names=["values"]), digest)


ARROW_ARRAY = Form(
    "arrow-array",
    count=len,
    cut=lambda v, start, stop: v.slice(start, stop - start),
    join=_array_join,
    column=lambda v, _: v,
    keep=_arrow_keep,
    digest=_array_digest,
    records=lambda v: v.to_pylist(),
)


# ── pandas and polars ─────────────────────────────────────────────────────────────────────────────────────────────────


def _pandas_join(parts: Sequence[Any]) -> Any:
    import pandas as pd

    return pd.concat(parts)


def _pandas_digest(value: Any, digest: Any) -> None:
    import pandas as pd

    digest.update(repr(list(getattr(value, "columns", ()))).encode())
    try:
        digest.update(pd.util.hash_pandas_object(value, index=True).to_numpy())
    except TypeError:  # lists or dicts in cells
        digest.update(pickle.dumps(value, protocol=5))


def _pandas_keep(value: Any, mask: Sequence[bool]) -> Any:
    import numpy as np

    return value[np.asarray(mask, dtype=bool)]


PANDAS = Form(
    "pandas",
    count=len,
    cut=lambda v, start, stop: v.iloc[start:stop],
    join=_pandas_join,
    column=lambda v, name: v[name],
    keep=_pandas_keep,
    digest=_pandas_digest,
    records=lambda v: v.to_dict("records"),
)
PANDAS_SERIES = replace(PANDAS, name="pandas-series", column=lambda v, _: v, records=lambda v: v.tolist())


def _polars_join(parts: Sequence[Any]) -> Any:
    import polars as pl

    return pl.concat(parts, how="vertical_relaxed" if isinstance(parts[0], pl.DataFrame) else "vertical")


def _polars_keep(value: Any, mask: Sequence[bool]) -> Any:
    import polars as pl

    return value.filter(pl.Series(mask, dtype=pl.Boolean))


POLARS = Form(
    "polars",
    count=len,
    cut=lambda v, start, stop: v.slice(start, stop - start),
    join=_polars_join,
    column=lambda v, name: v[name],
    keep=_polars_keep,
    digest=lambda v, digest: _arrow_digest(v.to_arrow(), digest),
    records=lambda v: v.to_dicts(),
)
POLARS_SERIES = replace(
    POLARS,
    name="polars-series",
    column=lambda v, _: v,
    digest=lambda v, digest: _array_digest(v.to_arrow(), digest),
    records=lambda v: v.to_list(),
)


# ── NumPy, dicts and lists ────────────────────────────────────────────────────────────────────────────────────────────


def _numpy_join(parts: Sequence[Any]) -> Any:
    import numpy as np

    return np.concatenate(parts)


def _numpy_keep(value: Any, mask: Sequence[bool]) -> Any:
    import numpy as np

    return value[np.asarray(mask, dtype=bool)]


def _numpy_digest(value: Any, digest: Any) -> None:
    digest.update(f"{value.dtype}{value.shape}".encode())
    digest.update(pickle.dumps(value, protocol=5) if value.dtype.hasobject else value.tobytes())


NUMPY = Form(
    "numpy",
    count=lambda v: len(v) if v.ndim else 1,
    cut=lambda v, start, stop: v[start:stop],
    join=_numpy_join,
    column=lambda v, _: v,
    keep=_numpy_keep,
    digest=_numpy_digest,
    records=lambda v: v.tolist(),
)


LIBRARIES: dict[str, dict[str, Form]] = {
    "pyarrow": {"Table": ARROW, "RecordBatch": ARROW, "ChunkedArray": ARROW_ARRAY, "Array": ARROW_ARRAY},
    "pandas": {"DataFrame": PANDAS, "Series": PANDAS_SERIES},
    "polars": {"DataFrame": POLARS, "Series": POLARS_SERIES},
    "numpy": {"ndarray": NUMPY},
}
"""Library → name of a type → its form."""
