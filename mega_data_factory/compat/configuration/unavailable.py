"""Components of the original that this package does not have, and what to use instead."""

from __future__ import annotations

import re

_ICEBERG = (
    "tables of Iceberg are not written here: write Parquet (`parquet_writer`), and add the files of a finished run to "
    "the table with PyIceberg (`table.add_files([...])`)"
)
_IMAGES = "operators on images are not part of this package: name your own class as `module:Class`"

_HINTS: dict[str, list[tuple[str, str]]] = {
    "writer": [(r"iceberg_?(data_?)?writer", _ICEBERG)],
    "operator": [(r"image.*|p_?hash_?dedup.*|quality_?filter|(technical_?quality|visual_?degradations).*", _IMAGES)],
}
"""Kind → pattern of a name, without regard to case, and the hint."""


def hint(kind: str, name: str) -> str | None:
    """Return what to use instead of a component of the original; None for a name that the original did not have."""
    for pattern, text in _HINTS.get(kind, ()):
        if re.fullmatch(pattern, name, re.IGNORECASE):
            return text
    return None
