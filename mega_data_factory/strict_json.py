"""JSON that every reader takes: RFC 8259 has neither NaN nor infinities."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from typing import Any


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON text.

    NaN and the infinities become null, times ISO 8601, NumPy scalars numbers, arrays lists, and keys and what JSON has
    no type for text.
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError):  # a key or a number that JSON does not have
        return json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False, default=_finite_plain)


def finite(value: Any) -> Any:
    """Return a value with null in place of every number, however deep, that is not finite."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a datetime is a date
        return value.isoformat()
    listed = getattr(value, "tolist", None)  # of NumPy's arrays and scalars, of a column of pandas
    return listed() if callable(listed) else str(value)


def _finite_plain(value: Any) -> Any:
    return finite(_plain(value))
