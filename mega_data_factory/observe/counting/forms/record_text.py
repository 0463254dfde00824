"""Text of records that are set aside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_LONGEST_TEXT = 10_000
"""Characters of one text in a record that is set aside; the rest is cut."""


def record_text(record: Any) -> str:
    """Return a record as JSON text: bytes as Latin-1 text, long texts cut, what JSON cannot hold as Python shows it.

    Of a record that cannot be shown (it contains itself, or its `__repr__` raises) the type.
    """
    try:
        if not isinstance(record, Mapping | str | bytes | int | float | bool | list | tuple | None):
            record = getattr(record, "__dict__", None) or repr(record)
        return json.dumps(_plain(record), default=str, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - the user's code; an example must not fail their work
        return json.dumps(f"<{type(record).__name__}>")


def record_name(record: Any) -> str:
    """Return the name of a record: its field `record_id`, or `id`; empty if it has neither."""
    for field in ("record_id", "id"):
        value = record.get(field) if isinstance(record, Mapping) else getattr(record, field, None)
        if isinstance(value, str | int):
            return str(value)
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
    if hasattr(value, "tolist"):  # NumPy
        return _plain(value.tolist())
    return value
