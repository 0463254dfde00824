"""The metrics folder that a command reads."""

from __future__ import annotations

from pathlib import Path

from mega_data_factory import storage
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.framework.metrics import MetricsReader


def open_store(metrics: str) -> MetricsReader:
    """Return the reader of a metrics folder that is there.

    Raises:
        MetricsQueryError: there is nothing at the path, or a file.
        InputError: its protocol is unknown, or the package of it is missing.
    """
    if not storage.exists(metrics):
        raise MetricsQueryError(f"there is no metrics folder {metrics}", hint=how_to_fill())
    if storage.is_local(metrics) and Path(storage.local_path(metrics)).is_file():
        raise MetricsQueryError(f"{metrics} is a file, not a metrics folder", hint=how_to_fill())
    return MetricsReader(metrics)


def how_to_fill() -> str:
    """Return a hint for a folder without metrics."""
    return "`mdf run --config FILE` writes metrics; --metrics or MDF_METRICS says where they are"
