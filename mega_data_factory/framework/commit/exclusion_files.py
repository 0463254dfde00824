"""Files of excluded records: errors, dead letters and samples of rejected ones, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from mega_data_factory import storage
from mega_data_factory.framework.batch import Exclusion
from mega_data_factory.strict_json import finite


def write_exclusions(path: str, exclusions: Sequence[Exclusion]) -> None:
    """Write excluded records as JSON lines; the record itself is the object `record`."""
    with storage.atomic_output(path) as sink:
        for exclusion in exclusions:
            line = {key: finite(value) for key, value in asdict(exclusion).items() if value is not None}
            del line["content"]
            line["record"] = _parsed(exclusion.content)
            text = json.dumps(line, ensure_ascii=False, allow_nan=False)
            # UTF-8 cannot hold half a surrogate pair; as `\udxxx`, what Python makes of it, JSON can.
            sink.write(text.encode("utf-8", "backslashreplace") + b"\n")


def _parsed(content: str) -> object:
    try:
        return finite(json.loads(content))
    except (ValueError, RecursionError):
        return content  # what a loader could not read is no JSON, or nested without end
