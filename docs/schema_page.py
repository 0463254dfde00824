"""The page of the manual that describes the tables, made from the schema itself."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.decoding import published_columns

_INTRODUCTION = f"""# Metrics tables

Schema version {schema.SCHEMA_VERSION}. The columns, in order, of every table below `metrics.output_path`. Those marked
*published* are the layout that never changes; the others are this package's. Columns are added, never changed: a reader
shows null if an older file lacks a column, and refuses a file of a newer version. `mdf metrics schema` prints the
tables of this page.

| table | files of a run; `X` is the run id without a leading `run_` |
|---|---|
| `runs` | `runs/{{run_id}}.parquet` |
| `stages` | `stages/stages_X.parquet` |
| `operators` | `operators/operators_X.parquet` |
| `samples` | `samples/samples_X.parquet`; during the run, segments `samples/samples_X.000000.parquet` and up |
| `nodes` | `nodes/nodes_X.parquet`, with segments like those of `samples` |
| `scores` | `scores/scores_X.parquet`, where filters measured scores |
| `columns` | `columns/columns_X.parquet`, where columns of the output are measured |

`{{table}}/*.parquet` holds every run once, for any program that reads Parquet: before and after compaction, beside runs
in progress, and beside the views of Superset. `mdf metrics compact` puts the files of old runs together, one file per
table (zstd, sorted by start of the run): `{{table}}/compacted_{{first run}}_{{last run}}_{{digest}}.parquet`. What it
replaces goes before its file appears, so a glob never counts a run twice; it misses the runs of such a file while they
are replaced (up to 0.1 s for 1,000 runs on a local disk), or fails where a file goes while it is read. Files that are
about to replace others wait in the hidden folder `.pending`.

`MetricsReader`, `mdf metrics sql` and `mdf runs list` are exact at every moment. They show the status `aborted` for a
running run whose heartbeat is older than max(3 · `flush_interval`, 15 s), or whose driver of this machine has ended.
They skip files that are damaged, or not of this package, with one warning each. A damaged compacted file that a
compaction, a prune or a resumed run would replace is moved to `.set_aside/{{table}}.{{name}}`, and kept there.

On a local disk, a folder with 64 and more files of single runs has the hidden file `.cache/runs.jsonl`: the rows of
`runs` once more, so that a list of runs does not open every file. An entry counts only while the file is there that it
was made of, so the cache may be removed at any time. Writers of runs append to it; readers write nothing.
"""

_PERCENTILES = """## Percentiles

`latency_histogram` adds. In SQL, the table macro `latency_percentiles(source, grouping)` gives `grouping`, `records`,
`p50_latency`, `p95_latency` and `p99_latency` (seconds per record, relative error at most 0.54 %) for every value of an
expression over the columns of `source`: the text behind FROM, such as the name of a view or of a common
table expression, also with a condition.

```sql
FROM latency_percentiles('operators', operator_name);

SELECT grouping.*, p99_latency FROM latency_percentiles('operators',
    {operator: operator_name, week: date_trunc('week', timestamp)});

FROM latency_percentiles('samples WHERE timestamp > now() - INTERVAL 1 DAY', stage_name);
```

In Python: `latency_percentiles(reader.operators(), ["operator_name"])` of `mega_data_factory.framework.metrics`. Rows
of version 0 have no histogram and count for nothing.
"""


def schema_page() -> str:
    """Return the page as Markdown."""
    lines = [_INTRODUCTION, "## Versions", "", "| version | what it brought |", "|---|---|"]
    lines += [f"| {version} | {text} |" for version, text in sorted(schema.HISTORY.items(), reverse=True)]
    lines.append("")
    for kind, columns in schema.TABLES.items():
        lines += [f"## `{kind}`", "", "| column | type | published | meaning |", "|---|---|---|---|"]
        lines += _rows(kind, columns)
        lines.append("")
    return "\n".join([*lines, _PERCENTILES])


def _rows(kind: str, columns: pa.Schema) -> Iterator[str]:
    published = set(published_columns(kind))
    for column in columns:
        comment = column.metadata[b"comment"].decode().replace("|", "\\|")
        yield f"| `{column.name}` | {_type(column.type)} | {'yes' if column.name in published else ''} | {comment} |"


def _type(kind: pa.DataType) -> str:
    if not pa.types.is_list(kind):
        return str(kind)
    return f"list of {{{', '.join(f'{field.name}: {field.type}' for field in kind.value_type)}}}"
