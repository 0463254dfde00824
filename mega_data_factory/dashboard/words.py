"""Texts that may leave the machine: without the paths of its file systems."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_PATH = re.compile(
    r"""(?<![\w.:/\\-])(?:file://)?(?:~|[A-Za-z]:(?=\\))?  # neither a scheme, as in s3://bucket, nor a relative path
    [/\\](?:[^\s/\\:;,"'`<>|]+[/\\])+                      # one folder at least: `/s` is a unit
    ([^\s/\\:;,"'`<>|]*)""",
    re.VERBOSE,
)
"""An absolute path, and its last part."""


def without_paths(text: str) -> str:
    """A text with every absolute local path cut to its last part: `/data/in/a.txt` becomes `…/a.txt`."""
    return _PATH.sub(lambda found: f"…/{found[1]}" if found[1] else "…/", text)


def values_without_paths(value: Any) -> Any:
    """The same for every text in mappings and lists; keys too."""
    if isinstance(value, str):
        return without_paths(value)
    if isinstance(value, Mapping):
        return {without_paths(str(key)): values_without_paths(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [values_without_paths(item) for item in value]
    return value


def reasons_without_paths(operators: pa.Table) -> pa.Table:
    """Rows of operators whose reasons, which also stand in charts, name no paths; those that fall together add."""
    at = operators.column_names.index("rejected_reasons")
    told = [_reasons(text) for text in operators.column(at).to_pylist()]
    return operators.set_column(at, operators.schema.field(at), pa.array(told, operators.schema.field(at).type))


def _reasons(text: str | None) -> str | None:
    if not text or ("/" not in text and "\\" not in text):
        return text
    numbers: Counter[str] = Counter()
    for reason, records in json.loads(text).items():
        numbers[without_paths(reason)] += records
    return json.dumps(numbers)
