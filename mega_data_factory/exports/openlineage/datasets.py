"""Datasets that a run reads and writes, named as OpenLineage's naming specification says.

A file or folder is `namespace` and `name`: `file` and an absolute path, `s3://bucket` and the key, `gs://bucket` and
the key, `scheme://host` and the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mega_data_factory import storage
from mega_data_factory.framework.commit.earlier_output import PENDING
from mega_data_factory.framework.metrics.models import RunMetrics
from mega_data_factory.redaction import without_credentials

_WILDCARD = re.compile(r"[*?\[{]")

_HUGGING_FACE = "hf://datasets"
"""Namespace of datasets of the Hugging Face Hub; their name is `owner/name`."""


class DatasetName(NamedTuple):
    """Name of a dataset.

    Attributes:
        namespace: the store that it is in.
        name: its name there.
    """

    namespace: str
    name: str


def dataset_name(location: str, base: str | None = None) -> DatasetName:
    """Return the name of the dataset at a location; of a pattern, the folder above the first wildcard.

    Args:
        location: a path or a URI.
        base: folder that a relative path starts in; the working folder by default.
    """
    location = without_credentials(_without_wildcards(location))
    if storage.is_local(location):
        path = Path(storage.local_path(location)).expanduser()
        return DatasetName("file", storage.absolute(path if base is None else Path(base) / path))
    parts = urlsplit(location)
    scheme = {"s3a": "s3", "gcs": "gs"}.get(parts.scheme, parts.scheme)
    return DatasetName(f"{scheme}://{parts.netloc}", parts.path.strip("/") or "/")


def inputs_of(run: RunMetrics) -> list[DatasetName]:
    """Return the datasets that the configuration of a run reads, each once; none if that is not known.

    Args:
        run: its row, with the configuration.
    """
    section = (run.config or {}).get("data_loader")
    params = section.get("params") if isinstance(section, Mapping) else None
    if not isinstance(params, Mapping):
        return []
    return list(dict.fromkeys(_inputs(params, _working_folder(run))))


def output_of(run: RunMetrics) -> DatasetName | None:
    """Return the dataset that a run writes; None if that is not known."""
    place = _output_folder(run)
    return None if not place else dataset_name(place)


def _output_folder(run: RunMetrics) -> str | None:
    """Return the folder of the output, also of a run whose files still wait in it until the run is complete."""
    place = (run.paths or {}).get("output")
    return None if place is None else place.removesuffix(f"/{PENDING}/{run.run_id}")


def _inputs(params: Mapping[str, Any], base: str | None) -> Iterator[DatasetName]:
    path = params.get("path")
    paths: Sequence[Any] = [path] if isinstance(path, str) else path if isinstance(path, list | tuple) else []
    for place in paths:
        yield dataset_name(str(place), base)
    if isinstance(named := params.get("dataset"), str):
        yield DatasetName(_HUGGING_FACE, named)


def _working_folder(run: RunMetrics) -> str | None:
    """Return the folder that the relative paths of the configuration start in; None if no path tells.

    The configuration has the output as it was written, the row where it is: what is before the former in the latter.
    """
    writer = (run.config or {}).get("data_writer")
    params = writer.get("params") if isinstance(writer, Mapping) else None
    written = params.get("output_path") if isinstance(params, Mapping) else None
    found = _output_folder(run)
    if not isinstance(written, str) or not found or not storage.is_local(found) or not storage.is_local(written):
        return None
    relative = Path(written)
    parts, end = Path(found).parts, relative.parts
    if relative.is_absolute() or ".." in end or not end or parts[-len(end) :] != end:
        return None
    return str(Path(*parts[: -len(end)]))


def _without_wildcards(location: str) -> str:
    """Return the folder above the first wildcard of a pattern; a location without wildcards as it is."""
    found = _WILDCARD.search(location)
    return location if found is None else location[: found.start()].rpartition("/")[0] or "."
