"""Texts that may leave the machine: without the paths of its file systems."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

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
