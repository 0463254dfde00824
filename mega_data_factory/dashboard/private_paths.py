"""Removal of local paths from texts that leave the machine."""

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
    """Return a text with every absolute local path cut to its last part: `/data/in/a.txt` becomes `…/a.txt`."""
    return _PATH.sub(lambda found: f"…/{found[1]}" if found[1] else "…/", text)


def values_without_paths(value: Any) -> Any:
    """Return a value with the same done to every text in its mappings and lists, keys too."""
    if isinstance(value, str):
        return without_paths(value)
    if isinstance(value, Mapping):
        return {without_paths(str(key)): values_without_paths(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [values_without_paths(item) for item in value]
    return value


def reasons_without_paths(operators: pa.Table) -> pa.Table:
    """Return rows of operators without paths in their reasons; reasons that become equal are added up."""
    at = operators.column_names.index("rejected_reasons")
    masked = [_reasons(text) for text in operators.column(at).to_pylist()]
    return operators.set_column(at, operators.schema.field(at), pa.array(masked, operators.schema.field(at).type))


def _reasons(text: str | None) -> str | None:
    if not text or ("/" not in text and "\\" not in text):
        return text
    numbers: Counter[str] = Counter()
    for reason, records in json.loads(text).items():
        numbers[without_paths(reason)] += records
    return json.dumps(numbers)
