"""Parquet schema of the metrics: one literal per table, a comment per column, and a version.

The columns of the published layout come first, in its order and types; the extension follows. Files carry the version;
the comments stay here, for they would be half of a small file.

| question | module |
|---|---|
| columns of runs, stages and operators | `levels` |
| columns of samples and nodes, which change during a run | `series` |
| columns of scores, slices and columns | `details` |
| what each version changed | `versions` |
| types of columns | `column_types` |
| metadata of a file | `file_keys` |
| rows as tables, and back | `conversion` |
"""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory.framework.metrics.schema.conversion import JSON_COLUMNS, to_rows, to_table
from mega_data_factory.framework.metrics.schema.details import COLUMNS, SCORES, SLICES
from mega_data_factory.framework.metrics.schema.file_keys import MOMENT_KEY, RUN_ID_KEY, VERSION_KEY, WRITER_KEY
from mega_data_factory.framework.metrics.schema.levels import OPERATORS, RUNS, STAGES
from mega_data_factory.framework.metrics.schema.series import NODES, SAMPLES
from mega_data_factory.framework.metrics.schema.versions import EARLIER_NAMES, HISTORY, SCHEMA_VERSION

__all__ = [
    "COLUMNS",
    "DETAILS",
    "EARLIER_NAMES",
    "HISTORY",
    "JSON_COLUMNS",
    "LEVELS",
    "MOMENT_KEY",
    "NODES",
    "OPERATORS",
    "RUNS",
    "RUN_ID_KEY",
    "SAMPLES",
    "SCHEMA_VERSION",
    "SCORES",
    "SLICES",
    "STAGES",
    "TABLES",
    "VERSION_KEY",
    "WRITER_KEY",
    "to_rows",
    "to_table",
]

TABLES: dict[str, pa.Schema] = {
    "runs": RUNS,
    "stages": STAGES,
    "operators": OPERATORS,
    "samples": SAMPLES,
    "nodes": NODES,
    "scores": SCORES,
    "slices": SLICES,
    "columns": COLUMNS,
}

LEVELS = ("runs", "stages", "operators")
"""Tables that are written over, together, as a run progresses."""

DETAILS = ("scores", "slices", "columns")
"""Tables of details: one file a run, written over from time to time."""
